//! `causeway admin`: the operator's and the custodians' signed commands. It must never create money
//! or see personal data.

pub mod authority;
pub mod commands;
