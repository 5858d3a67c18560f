//! The field's words: money, currency, rate and the identifiers of ISO 20022; reads no clock and does no I/O.
