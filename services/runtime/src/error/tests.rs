//! Tests that the two mappings are total and distinct and that a cause never leaves the process.

use std::collections::HashSet;

use axum::response::IntoResponse as _;
use serde_json::{Value, json};

use super::{ErrorCode, Failure, Problem};

#[test]
fn every_code_has_its_own_status_on_both_sides() {
    let grpc: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.to_grpc() as i32).collect();
    let http: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.to_http()).collect();
    let names: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
    assert_eq!([grpc.len(), http.len(), names.len()], [ErrorCode::ALL.len(); 3]);
    for code in ErrorCode::ALL {
        assert!(code.to_http().is_client_error() || code.to_http().is_server_error(), "{code:?}");
        assert_ne!(code.to_grpc(), tonic::Code::Ok, "{code:?}");
    }
}

#[tokio::test]
async fn a_private_cause_stays_private() {
    let failure = || {
        Failure::new(ErrorCode::Unavailable, "try again in a minute")
            .caused_by(std::io::Error::other("password=hunter2"))
    };
    let status = tonic::Status::from(failure());
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert_eq!(status.message(), "try again in a minute");
    assert!(!format!("{status:?}").contains("hunter2"));

    let response = failure().into_response();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.status(), 503);
    let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
    assert!(!String::from_utf8_lossy(&body).contains("hunter2"));
    assert_eq!(
        serde_json::from_slice::<Value>(&body).unwrap(),
        json!({
            "type": "/docs/errors/UNAVAILABLE.md",
            "title": "The service is unavailable",
            "status": 503,
            "detail": "try again in a minute",
            "code": "UNAVAILABLE",
        })
    );
}

#[test]
fn extensions_stand_beside_the_standard_members() {
    let problem = Problem::new("X1", "Title", axum::http::StatusCode::CONFLICT, "detail")
        .instance("/v1/things/1")
        .with("thing", "1");
    let value = serde_json::to_value(problem).unwrap();
    assert_eq!(value["instance"], "/v1/things/1");
    assert_eq!(value["thing"], "1");
    assert_eq!(value["status"], 409);
}
