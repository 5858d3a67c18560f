//! What every service needs to run: settings, telemetry, health, TLS, shutdown, retry and error
//! mapping. It must never know a domain word: no money, no transfer, no participant.

pub mod error;
pub mod faults;
pub mod grpc;
pub mod health;
pub mod http;
pub mod receive;
pub mod retry;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
pub mod tickets;
pub mod tls;
pub mod trace;
