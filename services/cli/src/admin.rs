//! `causeway admin`: the operator's and the custodians' signed commands. It must never create money
//! or see personal data.

pub mod authority;
pub mod backup;
pub mod cluster;
pub mod commands;
pub mod console;
pub mod gateways;
pub mod offline;
pub mod operate;
pub mod restore;
pub mod rotate;
