//! The creditor agent's side of a payee check: who may ask and how often, what core banking says, and the answer at its hour; it tells nobody whether an account is there.
use std::time::Duration;

use ledger_types::ParticipantId;
use proto::{
    client::RETRY_AFTER_KEY,
    payee::{
        VerifyRequest, VerifyResponse,
        payee_check_server::{PayeeCheck, PayeeCheckServer},
        verify_request::Payee as Wire,
    },
};
use serde_json::json;
use services_runtime::{
    error::{ErrorCode, Failure, chain},
    grpc::{self, ServerLimits},
    shutdown::Shutdown,
    tls::{self, ListenerLimits, ServerTls, require_role},
};
use time::OffsetDateTime;
use tokio::{net::TcpListener, time::Instant};
use tonic::{Request, Response, Status, metadata::MetadataValue};
use uuid::Uuid;

use super::{FAILED, Outcome, Question, Told, judge, read, reference};
use crate::{
    Error,
    app::App,
    banking::Identified,
    clock, measure,
    security::audit::Actor,
    store::{self, payees::ReferenceRow},
};

/// The role of a participant's certificate.
const PARTICIPANT: &str = "participant";
const CERTIFICATES_EVERY: Duration = Duration::from_secs(30);
/// Calls of one connection at one time.
const STREAMS_MAX: u32 = 64;

/// Answers other gateways.
#[derive(Clone, Debug)]
struct Desk {
    app: App,
}

/// Serves other gateways until the process ends; nothing where the settings name no address.
///
/// # Errors
/// When the certificate is unusable or the address taken.
pub async fn run(app: App, shutdown: Shutdown) -> Result<(), Error> {
    let settings = &app.payees.settings;
    let (Some(address), Some(files)) = (settings.listen, settings.tls.clone()) else {
        return Ok(());
    };
    let tls = ServerTls::load(files).map_err(Error::Payee)?;
    tls.watch(CERTIFICATES_EVERY, &shutdown);
    let failed = |source| Error::Serve { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    tracing::info!(%address, "payee checks are answered");
    let incoming = tls::incoming(listener, tls, &ListenerLimits::default(), &shutdown);
    let limits = ServerLimits {
        streams_max: STREAMS_MAX,
        timeout_ms: settings.timeout_ms.saturating_mul(2),
        ..ServerLimits::default()
    };
    let stop = shutdown.token().cancelled_owned();
    grpc::server(&limits)
        .add_service(PayeeCheckServer::new(Desk { app: app.clone() }))
        .serve_with_incoming_shutdown(incoming, stop)
        .await
        .map_err(|error| failed(std::io::Error::other(error)))
}

#[tonic::async_trait]
impl PayeeCheck for Desk {
    async fn verify(
        &self,
        request: Request<VerifyRequest>,
    ) -> Result<Response<VerifyResponse>, Status> {
        let begun = Instant::now();
        let answered = self.answer(request).await;
        let word = answered.as_ref().map_or("refused", |told| told.outcome.as_str());
        measure::payee_check(false, word);
        self.at_its_hour(begun).await;
        answered.map(|told| Response::new(response(told)))
    }
}

impl Desk {
    async fn answer(&self, request: Request<VerifyRequest>) -> Result<Told, Status> {
        let app = &self.app;
        let peer = self.participant(&request).await?;
        let question = question(app.me, request.into_inner())?;
        let standing = app.payees.others.request(Uuid::from_u128(peer.0.into()));
        if standing.exceeded {
            return Err(later("ask slower", standing.wait_s));
        }
        let asker = format!("participant {}", peer.0);
        let max = app.payees.settings.peer_answers_a_day;
        if !app.store.payee_answer_take(&asker, max).await.map_err(unavailable)? {
            self.limited(peer, &asker).await?;
            return Err(later("the day's answers are used up", seconds_of_today_left()));
        }
        let told = self.told(peer, &question).await?;
        if !told.outcome.teaches(question.payee.proxy()) {
            app.store.payee_answer_give_back(&asker).await.map_err(unavailable)?;
        }
        self.write_down(peer, &question, &told).await?;
        Ok(told)
    }

    /// Whom the caller's certificate names, if that is a participant of this network in good standing.
    async fn participant(&self, request: &Request<VerifyRequest>) -> Result<ParticipantId, Status> {
        let forbidden = |why| Status::from(Failure::new(ErrorCode::Forbidden, why));
        let identity = require_role(request, &[PARTICIPANT]).map_err(Status::from)?;
        if identity.network != self.app.network.to_string() {
            return Err(forbidden("the certificate is another network's"));
        }
        let network = self.app.directory.current(&self.app.ledger).await;
        let network = network.map_err(|problem| Status::unavailable(problem.detail))?;
        let id: Option<ParticipantId> = identity.id.parse().ok();
        let row = id.and_then(|id| network.participant(id)).filter(|row| !row.suspended);
        let row = row.ok_or_else(|| forbidden("the participant is unknown or suspended"))?;
        Ok(row.id)
    }

    /// What core banking says in three quarters of the caller's patience, compared.
    async fn told(&self, peer: ParticipantId, question: &Question) -> Result<Told, Status> {
        let app = &self.app;
        let patience = Duration::from_millis(app.payees.settings.timeout_ms.saturating_mul(3) / 4);
        let asked = app.banking.identify(&question.payee);
        let identified = match tokio::time::timeout(patience, asked).await {
            Ok(Ok(identified)) => identified,
            Ok(Err(error)) => {
                tracing::warn!(cause = chain(&error), "payee check without core banking");
                return Ok(Told::not_possible(FAILED));
            }
            Err(_) => {
                tracing::warn!("payee check: core banking did not answer in time");
                return Ok(Told::not_possible(FAILED));
            }
        };
        let mut told = judge(&question.payee, question.name.as_ref(), &identified);
        let leads = question.payee.proxy()
            && matches!(told.outcome, Outcome::Match | Outcome::CloseMatch | Outcome::Resolved);
        if let (true, Identified::Known { account, .. }) = (leads, &identified) {
            told.reference = Some(self.reference(peer, account).await?);
        }
        Ok(told)
    }

    async fn reference(
        &self,
        peer: ParticipantId,
        account: &str,
    ) -> Result<(String, OffsetDateTime), Status> {
        let app = &self.app;
        let internal = |error: crate::sealing::Error| {
            Status::from(Failure::new(ErrorCode::Internal, "no reference").caused_by(error))
        };
        let reference = reference::fresh().map_err(internal)?;
        let sealed = app.payees.seal(&reference, peer, account).map_err(internal)?;
        let lasts = Duration::from_secs(app.payees.settings.reference_s.into());
        let expires_at = OffsetDateTime::now_utc() + lasts;
        let row = ReferenceRow { sealed, expires_at };
        let digest = reference::digest(&reference);
        app.store.payee_reference_insert(&digest, &row).await.map_err(unavailable)?;
        Ok((reference, expires_at))
    }

    async fn write_down(
        &self,
        peer: ParticipantId,
        question: &Question,
        told: &Told,
    ) -> Result<(), Status> {
        let actor = Actor { owner: format!("participant {}", peer.0), key: None };
        let detail = detail(&self.app, question, told);
        let entry = actor.entry("payee.answered", question.id, detail);
        self.app.store.audit_append(&entry).await.map_err(unavailable)
    }

    /// Once a day the audit log has it that a participant's limit was met.
    async fn limited(&self, peer: ParticipantId, asker: &str) -> Result<(), Status> {
        if self.app.store.payee_limit_note(asker).await.map_err(unavailable)? {
            let actor = Actor { owner: asker.to_owned(), key: None };
            let entry = actor.entry("payee.limited", peer.0, json!({}));
            self.app.store.audit_append(&entry).await.map_err(unavailable)?;
        }
        Ok(())
    }

    /// Waits until a whole multiple of the settings' interval has passed, so that how long core banking
    /// and the comparison took tells nothing.
    async fn at_its_hour(&self, begun: Instant) {
        let every = u128::from(self.app.payees.settings.answer_every_ms.max(1));
        let hours = begun.elapsed().as_millis() / every + 1;
        let wait = u64::try_from(hours.saturating_mul(every)).unwrap_or(0);
        tokio::time::sleep_until(begun + Duration::from_millis(wait)).await;
    }
}

/// What both sides' audit logs say of a check: digests of what names people, each side's own.
pub(super) fn detail(app: &App, question: &Question, told: &Told) -> serde_json::Value {
    let payee = &question.payee;
    json!({
        "by": payee.word(),
        "payee_hmac": app.payees.digest(payee.word(), payee.text()),
        "name_hmac": question.name.as_ref().map(|name| app.payees.digest("name", &name.0)),
        "result": told.outcome.as_str(),
        "reason": told.reason.map(|reason| reason.to_string()),
    })
}

fn question(me: ParticipantId, wire: VerifyRequest) -> Result<Question, Status> {
    if wire.creditor_agent != me.0 {
        return Err(Status::invalid_argument("creditor_agent: must be who is asked"));
    }
    let id = Uuid::from_slice(&wire.check_id);
    let id = id.map_err(|_| Status::invalid_argument("check_id: must be 16 bytes"))?;
    let (mut account, mut phone, mut email) = (None, None, None);
    match wire.payee {
        Some(Wire::Account(text)) => account = Some(text),
        Some(Wire::Phone(text)) => phone = Some(text),
        Some(Wire::Email(text)) => email = Some(text),
        None => {}
    }
    let wrong = |problem: crate::problem::Problem| Status::invalid_argument(problem.detail);
    let payee = read::payee(account, phone, email).map_err(wrong)?;
    let name = read::name(&payee, Some(wire.name)).map_err(wrong)?;
    Ok(Question { id, creditor_agent: me, payee, name })
}

fn response(told: Told) -> VerifyResponse {
    let expires_at = told.reference.as_ref().map(|(_, at)| clock::from_calendar(*at).micros());
    VerifyResponse {
        result: told.outcome.as_str().to_owned(),
        reason: told.reason.map(|reason| reason.to_string()).unwrap_or_default(),
        name: told.name.unwrap_or_default(),
        masked_name: told.masked_name.unwrap_or_default(),
        account_reference: told.reference.map(|(text, _)| text).unwrap_or_default(),
        expires_at_micros: expires_at.unwrap_or(0),
    }
}

fn later(why: &str, wait_s: u64) -> Status {
    let mut status = Status::resource_exhausted(why);
    let wait = MetadataValue::from(wait_s.saturating_mul(1_000));
    status.metadata_mut().insert(RETRY_AFTER_KEY, wait);
    status
}

fn unavailable(error: store::Error) -> Status {
    tracing::warn!(cause = chain(&error), "payee check without the store");
    Status::unavailable("the gateway's store does not answer")
}

/// Until the next day begins, UTC.
pub(super) fn seconds_of_today_left() -> u64 {
    let now = OffsetDateTime::now_utc();
    let gone =
        u64::from(now.hour()) * 3_600 + u64::from(now.minute()) * 60 + u64::from(now.second());
    86_400_u64.saturating_sub(gone)
}
