//! Networks from nothing: a plan becomes genesis, keys, certificates and settings. It must never
//! start a service.

pub mod founding;
pub mod grow;
pub mod keys;
pub mod new;
pub mod pki;
pub mod plan;
pub mod renew;
pub mod revoke;
pub mod settings;
