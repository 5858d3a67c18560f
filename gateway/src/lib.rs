//! A participant's gateway.
