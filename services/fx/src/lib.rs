//! A liquidity bank's quoting service.
