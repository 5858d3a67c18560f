//! Tests that the pages answer on loopback and nowhere else.

use metrics_exporter_prometheus::PrometheusBuilder;

use super::{Error, State, serve};
use crate::shutdown::Shutdown;

fn state() -> State {
    State::new(PrometheusBuilder::new().build_recorder().handle(), &["storage", "peers"])
}

#[tokio::test]
async fn other_than_loopback_is_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refusal = serve(address.parse().unwrap(), state(), &Shutdown::new()).await;
        assert!(matches!(refusal, Err(Error::NotLoopback { .. })), "{address}");
    }
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let client = crate::tls::http_builder().build().unwrap();
    let shutdown = Shutdown::new();
    let state = state();
    let bound = serve("127.0.0.1:0".parse().unwrap(), state.clone(), &shutdown).await.unwrap();
    let get = async |page: &str| {
        let answer = client.get(format!("http://{bound}{page}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let checks = async || {
        let (status, body) = get("/readyz").await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        (status, body)
    };
    assert_eq!(get("/healthz").await, (200, r#"{"status":"live","checks":[]}"#.to_owned()));
    state.tell("peers", false, Some("0 of 2 answer".to_owned()));
    let (status, body) = checks().await;
    assert_eq!((status, &body["status"]), (503, &"not ready".into()));
    let peers = &body["checks"][0];
    assert_eq!((&peers["name"], &peers["holds"]), (&"peers".into(), &false.into()));
    assert_eq!(peers["detail"], "0 of 2 answer");
    let since = peers["since_ms"].as_u64().unwrap();
    state.set("peers", true);
    state.set("storage", true);
    let (status, body) = checks().await;
    assert_eq!((status, &body["status"]), (200, &"ready".into()));
    assert!(body["checks"][0]["since_ms"].as_u64().unwrap() >= since);
    assert_eq!(get("/metrics").await.0, 200);
    shutdown.cancel();
}

#[test]
fn since_moves_only_when_the_answer_does() {
    let state = state();
    state.set("peers", true);
    let first = state.report();
    state.tell("peers", true, Some("2 of 2 answer".to_owned()));
    let second = state.report();
    assert_eq!(first.checks[0].since_ms, second.checks[0].since_ms);
    assert_eq!(second.checks[0].detail.as_deref(), Some("2 of 2 answer"));
    assert_eq!(first.status, "not ready");
}
