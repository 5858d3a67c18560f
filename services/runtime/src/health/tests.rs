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
    crate::tls::install_default_provider();
    let shutdown = Shutdown::new();
    let state = state();
    let bound = serve("127.0.0.1:0".parse().unwrap(), state.clone(), &shutdown).await.unwrap();
    let get = async |page: &str| {
        let answer = reqwest::get(format!("http://{bound}{page}")).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(get("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(get("/readyz").await, (503, "not ready: peers, storage\n".to_owned()));
    state.set("peers", true);
    state.set("storage", true);
    assert_eq!(get("/readyz").await, (200, "ready\n".to_owned()));
    assert_eq!(get("/metrics").await.0, 200);
    shutdown.cancel();
}
