//! Spans of what a submit does to the transfers it names, each in its transfer's own trace; it sees no amount and no party.
use ledger_proof::{Envelope, ItemKind};
use ledger_types::{NetworkId, Rejection};
use proto::{
    convert::Submitted,
    trace::{TRACEPARENT_KEY, of_transfer, transfer_of},
};
use services_runtime::trace::{Context, Kind, Span, Tracer, Value};
use tonic::{Request, Status};

use crate::{host, verify::Verified};

/// Items of one envelope that get a span; an envelope of thousands must not drown all others.
const SPANS_MAX: usize = 512;

/// Who asked, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    from: Option<Context>,
    begun_micros: u64,
}

/// Notes who asks; nothing where no span is ever sent.
pub(super) fn asked<T>(tracer: &Tracer, request: &Request<T>) -> Option<Asked> {
    if !tracer.on() {
        return None;
    }
    let from = request.metadata().get(TRACEPARENT_KEY).and_then(|value| value.to_str().ok());
    let begun_micros = host::now().micros();
    Some(Asked { from: from.and_then(Context::read), begun_micros })
}

/// What is traced of an envelope: the place of an item, what it is, its span and that one's parent.
#[derive(Debug)]
pub(super) struct Traced {
    asked: Asked,
    items: Vec<(usize, ItemKind, Context, Context)>,
}

impl Traced {
    /// Chooses among the items of an envelope that passed.
    pub(super) fn new(
        tracer: &Tracer,
        network: NetworkId,
        asked: Option<Asked>,
        verified: &Verified,
    ) -> Option<Self> {
        let asked = asked?;
        let author = Envelope::decode(&verified.envelope).ok()?.header.author;
        let mut items = Vec::new();
        for (at, item) in verified.command.items.iter().enumerate().take(SPANS_MAX) {
            let Some(transfer) = transfer_of(author, item) else { continue };
            let root = tracer.derived(&of_transfer(network, transfer));
            let from = asked.from.filter(|from| from.same_trace(&root));
            let parent = from.unwrap_or(root);
            if parent.sampled() {
                items.push((at, item.kind(), parent.child(), parent));
            }
        }
        (!items.is_empty()).then_some(Self { asked, items })
    }

    /// Sends a span per item: from the request's head to the outcome, here.
    pub(super) fn finish(self, tracer: &Tracer, node: u64, submitted: Result<&Submitted, &Status>) {
        let Self { asked: Asked { from, begun_micros }, items } = self;
        let ended_micros = host::now().micros();
        for (at, kind, context, parent) in items {
            let place = submitted.as_ref().ok().filter(|submitted| !submitted.envelope_refused);
            let outcome = place.and_then(|submitted| submitted.outcomes.get(at));
            let record = outcome.and_then(|outcome| i64::try_from(outcome.sequence).ok());
            let failed = match (outcome, submitted) {
                (Some(outcome), _) => outcome.rejection.map(Rejection::code),
                (None, Ok(_)) => Some("envelope refused"),
                (None, Err(_)) => Some("not answered"),
            };
            let mut span = Span::new(context, "ledger.commit", Kind::Server, begun_micros)
                .child_of(parent)
                .linked(from.filter(|from| !from.same_trace(&context)))
                .with("causeway.item.kind", Value::Id(format!("{kind:?}")))
                .with("causeway.node", Value::Number(i64::try_from(node).unwrap_or(0)))
                .failed(failed);
            if let Some(record) = record {
                span = span.with("causeway.record", Value::Number(record));
            }
            span.ended_micros = Some(ended_micros);
            tracer.finish(span);
        }
    }
}
