//! What every service needs to run: settings, telemetry, health, TLS, shutdown, retry and error
//! mapping. It must never know a domain word: no money, no transfer, no participant.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

pub mod error;
pub mod grpc;
pub mod health;
pub mod retry;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
