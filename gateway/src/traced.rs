//! Spans of what a gateway does, each in the trace of the transfer's life, which follows from its identity; no span ever names a person, an account or an amount.
use std::fmt::Display;

use ledger_proof::item::ItemKind;
use ledger_types::TransferId;
use proto::trace::of_transfer;
use services_runtime::trace::{self, Context, Kind, Span, Value, now_micros};

use crate::{
    app::App,
    clock, measure,
    outbox::transfer_of,
    store::{
        changes::{Change, Changed},
        outbox::OutboxRow,
    },
};

impl App {
    /// The root of a transfer's trace.
    #[must_use]
    pub fn life(&self, transfer: TransferId) -> Context {
        self.tracer.derived(&of_transfer(self.network, transfer))
    }

    /// The id of a transfer's trace; the same at every participant.
    #[must_use]
    pub fn trace_id(&self, transfer: TransferId) -> String {
        self.life(transfer).trace_id()
    }
}

/// Counts changes that are committed, and sends the root span of what this gateway submitted and has
/// come to its end: from the first the gateway knew of it to the ledger's final record.
pub fn changed(app: &App, changes: &[Changed]) {
    for change in changes {
        measure::changed(change);
        let status = match &change.change {
            Change::Settled => "SETTLED",
            Change::Ended { status, .. } => status,
            Change::Pending { .. } | Change::Held { .. } | Change::Confirmed { .. } => continue,
        };
        if !change.outgoing || !app.tracer.on() {
            continue;
        }
        let begun = clock::from_calendar(change.created_at).micros();
        let took = u64::try_from(change.after.as_micros()).unwrap_or(0);
        let asked = change.traceparent.as_deref().and_then(Context::read);
        let mut span = Span::new(app.life(change.transfer), "transfer", Kind::Internal, begun)
            .linked(asked)
            .with("causeway.uetr", Value::Id(change.transfer.uetr.to_string()))
            .with("causeway.corridor", Value::Number(change.corridor))
            .with("causeway.status", Value::Word(status));
        span.ended_micros = Some(begun.saturating_add(took));
        app.tracer.finish(span);
    }
}

/// An envelope on its way to the ledger: a span for each of its items whose transfer is sampled.
#[derive(Debug, Default)]
pub struct Flight {
    begun_micros: u64,
    resends: i64,
    items: Vec<Flown>,
}

/// One item of a flight.
#[derive(Debug)]
struct Flown {
    /// Its place in the envelope.
    at: usize,
    span: Context,
    root: Context,
    /// Who asked for it.
    asked: Option<Context>,
    kind: Option<ItemKind>,
}

impl Flight {
    /// Begins; nothing where no span is ever sent.
    #[must_use]
    pub fn new<'a>(app: &App, rows: impl Iterator<Item = &'a OutboxRow>) -> Self {
        if !app.tracer.on() {
            return Self::default();
        }
        let mut flight = Self { begun_micros: now_micros(), ..Self::default() };
        for (at, row) in rows.enumerate() {
            let Some(transfer) = transfer_of(row) else { continue };
            let root = app.life(transfer);
            if root.sampled() {
                let asked = row.traceparent.as_deref().and_then(Context::read);
                let kind = u8::try_from(row.kind).ok().and_then(ItemKind::from_code);
                flight.items.push(Flown { at, span: root.child(), root, asked, kind });
            }
        }
        flight
    }

    /// What the node is told: the span of the first item that has one. Those of others it finds.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        self.items.first().map(|item| item.span.traceparent())
    }

    /// The same bytes go once more.
    pub fn again(&mut self) {
        self.resends = self.resends.saturating_add(1);
    }

    /// Ends with a word for what became of each item; none for one that was done.
    pub fn finish(
        self,
        app: &App,
        request: impl Display,
        failed: impl Fn(usize) -> Option<&'static str>,
    ) {
        for Flown { at, span: context, root, asked, kind } in self.items {
            let span = Span::new(context, "ledger.submit", Kind::Client, self.begun_micros)
                .child_of(root)
                .linked(asked)
                .with("causeway.item.kind", Value::Id(format!("{kind:?}")))
                .with("causeway.request", Value::Id(request.to_string()))
                .with("causeway.resends", Value::Number(self.resends))
                .failed(failed(at));
            app.tracer.finish(span);
        }
    }
}

/// Work on a transfer that nobody waits for, as a span of its trace, unless `of` drops it: a look that
/// found nothing to do is none.
pub fn work<T>(
    app: &App,
    (name, transfer): (&'static str, TransferId),
    work: impl Future<Output = T>,
    of: impl FnOnce(&T, Span) -> Option<Span>,
) -> impl Future<Output = T> {
    let root = app.life(transfer);
    let (context, begun, tracer) = (root.child(), now_micros(), app.tracer.clone());
    let id = root.trace_id();
    let work = trace::within(context, work);
    let traced = futures_util::FutureExt::map(work, move |done| {
        let span = Span::new(context, name, Kind::Internal, begun).child_of(root);
        if let Some(span) = of(&done, span) {
            tracer.finish(span);
        }
        done
    });
    tracing::Instrument::instrument(traced, tracing::info_span!("transfer", trace_id = id))
}
