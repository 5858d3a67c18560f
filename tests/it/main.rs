//! The one integration test binary.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod attack;
mod banking;
mod batches;
mod config;
mod demo;
mod faults;
mod frozen;
mod fuzz;
mod gateway_faults;
mod gateway_matrix;
mod gateway_routes;
mod gateway_store;
mod iso20022;
mod kill_leader;
mod ofac;
mod office;
mod openapi;
mod operator;
mod overload;
mod partner;
mod payee;
mod pickup;
mod rates;
mod readme;
mod recall;
mod reconciliation;
mod remittance;
mod reports;
mod security;
mod statements;
mod telemetry;
mod tidy;
mod tracking;
mod tutorial;
mod webhooks;
