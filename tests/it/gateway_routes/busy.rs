//! A ledger that has no room: the gateway keeps what it signed, and sends the same bytes again no sooner than it was told.
use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use futures_util::Stream;
use gateway::{outbox, settings::Limits};
use proto::{
    LedgerClient,
    client::{FATE_KEY, FATE_NOT_APPENDED, RETRY_AFTER_KEY},
    ledger::{
        Event, EventsRequest, GetBalancesRequest, GetBalancesResponse, GetNetworkRequest,
        GetNetworkResponse, GetTransferRequest, GetTransferResponse, Outcome, SubmitChunk,
        SubmitRequest, SubmitResponse,
        ledger_server::{Ledger, LedgerServer},
    },
};
use services_runtime::shutdown::Shutdown;
use tonic::{
    Request, Response, Status, Streaming,
    metadata::MetadataValue,
    transport::{Endpoint, Server, server::TcpIncoming},
};

use super::{order, start};

/// How often it has no room before it has.
const REFUSALS: usize = 3;
const RETRY_AFTER: Duration = Duration::from_millis(60);

/// What it was asked, and when.
#[derive(Clone, Debug, Default)]
struct Busy(Arc<Mutex<Vec<Asked>>>);

/// When, and which envelope.
type Asked = (Instant, Vec<u8>);

fn absent<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not asked here"))
}

#[tonic::async_trait]
impl Ledger for Busy {
    type EventsStream = Pin<Box<dyn Stream<Item = Result<Event, Status>> + Send>>;

    async fn submit(
        &self,
        request: Request<SubmitRequest>,
    ) -> Result<Response<SubmitResponse>, Status> {
        let mut asked = self.0.lock().unwrap();
        asked.push((Instant::now(), request.into_inner().envelope.to_vec()));
        if asked.len() > REFUSALS {
            let pending = Outcome { sequence: 7, state: 1, ..Outcome::default() };
            let outcomes = vec![pending];
            return Ok(Response::new(SubmitResponse { outcomes, ..SubmitResponse::default() }));
        }
        let mut status = Status::resource_exhausted("no room");
        let after = u64::try_from(RETRY_AFTER.as_millis()).unwrap();
        status.metadata_mut().insert(RETRY_AFTER_KEY, MetadataValue::from(after));
        status.metadata_mut().insert(FATE_KEY, MetadataValue::from_static(FATE_NOT_APPENDED));
        Err(status)
    }

    async fn submit_chunks(
        &self,
        _: Request<Streaming<SubmitChunk>>,
    ) -> Result<Response<SubmitResponse>, Status> {
        absent()
    }

    async fn resolve(&self, _: Request<SubmitRequest>) -> Result<Response<SubmitResponse>, Status> {
        absent()
    }

    async fn get_transfer(
        &self,
        _: Request<GetTransferRequest>,
    ) -> Result<Response<GetTransferResponse>, Status> {
        absent()
    }

    async fn get_balances(
        &self,
        _: Request<GetBalancesRequest>,
    ) -> Result<Response<GetBalancesResponse>, Status> {
        absent()
    }

    async fn get_network(
        &self,
        _: Request<GetNetworkRequest>,
    ) -> Result<Response<GetNetworkResponse>, Status> {
        absent()
    }

    async fn events(
        &self,
        _: Request<EventsRequest>,
    ) -> Result<Response<Self::EventsStream>, Status> {
        absent()
    }
}

#[tokio::test]
async fn a_busy_ledger_is_left_alone_for_as_long_as_it_says() {
    let busy = Busy::default();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let endpoint = format!("http://{}", incoming.local_addr().unwrap());
    let serving = Server::builder().add_service(LedgerServer::new(busy.clone()));
    tokio::spawn(serving.serve_with_incoming(incoming));
    let channel = Endpoint::from_shared(endpoint).unwrap().connect_lazy();
    // Short, so that the gateway itself has to come again, not only its client.
    let ledger = LedgerClient::new(vec![channel], Duration::from_millis(150));
    let (fixture, app, items) = start(Limits::default(), ledger).await;
    let shutdown = Shutdown::new();
    tokio::spawn(outbox::run(app, items, shutdown.clone()));
    let uetr = "8a562c67-ca16-48ba-b074-65581be6f0bb";
    let body = order(uetr, "EXAMPLE", "500.00", "100").to_string();
    let (status, transfer) = fixture.ask("POST", "/v1/transfers", "busy", body).await;
    shutdown.cancel();
    assert_eq!((status, transfer["status"].as_str()), (StatusCode::CREATED, Some("PENDING")));
    let asked = busy.0.lock().unwrap();
    assert_eq!(asked.len(), REFUSALS + 1);
    for pair in asked.windows(2) {
        assert_eq!(pair[0].1, pair[1].1, "the same bytes");
        assert!(pair[1].0 - pair[0].0 >= RETRY_AFTER, "not before it may");
    }
}
