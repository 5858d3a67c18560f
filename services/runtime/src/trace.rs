//! W3C trace contexts, and spans on their way to an OpenTelemetry collector. It must never hold a name,
//! an account or a secret: an attribute is a word of the program's own, a number or an identifier.

use std::borrow::Cow;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    self as sdk, BatchConfigBuilder, BatchSpanProcessor, IdGenerator as _, RandomIdGenerator,
    Sampler, SamplingDecision, ShouldSample as _, SpanData, SpanLinks, SpanProcessor as _,
};

use crate::shutdown::Shutdown;
use crate::telemetry::{Error, Settings};

#[cfg(test)]
mod tests;

/// The header and metadata key of a context (W3C Trace Context, section 3.2).
pub const TRACEPARENT: &str = "traceparent";

/// Spans that wait for the collector; more are dropped and counted, and nobody waits.
const QUEUE_SPANS: usize = 4_096;
const EXPORT_SPANS: usize = 512;
const EXPORT_EVERY: Duration = Duration::from_secs(1);
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of a process waits for the last spans.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// Where a span stands: its trace, itself, and whether it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    trace: TraceId,
    span: SpanId,
    sampled: bool,
}

impl Context {
    /// Reads a `traceparent`. Of a later version than 00 what 00 has is read (section 3.2.4); what is
    /// malformed is none, so that a trace begins anew.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let lower = |part: &str| {
            part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let mut parts = text.trim().split('-');
        let mut part =
            |length: usize| parts.next().filter(|part| part.len() == length && lower(part));
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
        let valid = trace != TraceId::INVALID && span != SpanId::INVALID;
        valid.then_some(Self { trace, span, sampled: flags & 1 == 1 })
    }

    /// The root of a trace whose ids follow from a digest, so that each who can compute the digest
    /// finds it without being told.
    #[must_use]
    pub fn derived(digest: &[u8; 32]) -> Self {
        let [mut trace, mut span] = [[0; 16], [0; 16]];
        trace.copy_from_slice(&digest[..16]);
        span.copy_from_slice(&digest[16..]);
        let span = u128::from_be_bytes(span) >> 64;
        let span = u64::try_from(span).unwrap_or(1).max(1);
        Self { trace: TraceId::from_bytes(trace), span: SpanId::from(span), sampled: false }
    }

    /// A new span of the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span: RandomIdGenerator::default().new_span_id(), ..*self }
    }

    /// The same, sent or not.
    #[must_use]
    pub const fn sampled_if(self, sampled: bool) -> Self {
        Self { sampled, ..self }
    }

    /// Whether its spans are sent.
    #[must_use]
    pub const fn sampled(&self) -> bool {
        self.sampled
    }

    /// Whether both are of one trace.
    #[must_use]
    pub fn same_trace(&self, other: &Self) -> bool {
        self.trace == other.trace
    }

    /// The trace's id, 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        self.trace.to_string()
    }

    /// As a `traceparent` of version 00.
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }

    fn otel(&self, remote: bool) -> SpanContext {
        let flags = if self.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        SpanContext::new(self.trace, self.span, flags, remote, TraceState::default())
    }
}

tokio::task_local! {
    static CURRENT: Context;
}

/// Runs `work` as part of a span; what it spawns is not, unless [`carried`].
pub fn within<F: Future>(context: Context, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(context, work)
}

/// The span that this task is part of.
#[must_use]
pub fn current() -> Option<Context> {
    CURRENT.try_with(|context| *context).ok()
}

/// The span that this task is part of as a `traceparent`, if it is sent.
#[must_use]
pub fn kept() -> Option<String> {
    current().filter(Context::sampled).map(|context| context.traceparent())
}

/// `work`, to be spawned, as part of the span that this task is part of.
pub fn carried<F>(work: F) -> impl Future<Output = F::Output> + Send
where
    F: Future + Send,
    F::Output: Send,
{
    let context = current();
    let mut work = Box::pin(work);
    std::future::poll_fn(move |task| match context {
        Some(context) => CURRENT.sync_scope(context, || work.as_mut().poll(task)),
        None => work.as_mut().poll(task),
    })
}

/// What a span's part in a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

/// What an attribute may be: nothing that a person typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of the program's own.
    Word(&'static str),
    Number(i64),
    /// An identifier of a request, a record or a route.
    Id(String),
}

/// A span that ends.
#[derive(Clone, Debug)]
pub struct Span {
    pub context: Context,
    pub parent: Option<Context>,
    pub name: &'static str,
    pub kind: Kind,
    /// Microseconds since the Unix epoch.
    pub begun_micros: u64,
    /// Likewise; now if absent.
    pub ended_micros: Option<u64>,
    pub attributes: Vec<(&'static str, Value)>,
    pub links: Vec<Context>,
    /// A word of the program's own for what went wrong.
    pub failed: Option<&'static str>,
}

impl Span {
    /// A span that began at some time and ends when it is finished.
    #[must_use]
    pub fn new(context: Context, name: &'static str, kind: Kind, begun_micros: u64) -> Self {
        Self {
            context,
            parent: None,
            name,
            kind,
            begun_micros,
            ended_micros: None,
            attributes: Vec::new(),
            links: Vec::new(),
            failed: None,
        }
    }

    /// Within another span.
    #[must_use]
    pub fn child_of(mut self, parent: Context) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Caused by spans of other traces.
    #[must_use]
    pub fn linked(mut self, to: impl IntoIterator<Item = Context>) -> Self {
        self.links.extend(to);
        self
    }

    /// Says more of it.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: Value) -> Self {
        self.attributes.push((key, value));
        self
    }

    /// Says that it went wrong, if it did.
    #[must_use]
    pub fn failed(mut self, why: Option<&'static str>) -> Self {
        self.failed = why;
        self
    }
}

/// Microseconds since the Unix epoch.
#[must_use]
pub fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Sends spans, or does nothing at all; clones share the queue.
#[derive(Clone, Debug, Default)]
pub struct Tracer {
    inner: Option<Arc<Inner>>,
}

#[derive(Debug)]
struct Inner {
    processor: BatchSpanProcessor,
    ratio: Sampler,
    scope: InstrumentationScope,
}

impl Tracer {
    /// Sends nothing.
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    /// Sends to the collector of the settings, if they name one, as `service` and one of its
    /// instances. Must be called within the async runtime.
    ///
    /// # Errors
    /// When the endpoint or the ratio can't be used.
    pub fn new(
        settings: &Settings,
        service: &'static str,
        instance: impl ToString,
        shutdown: &Shutdown,
    ) -> Result<Self, Error> {
        let ratio = settings.sampling_ratio;
        if !(0.0..=1.0).contains(&ratio) {
            return Err(Error::Ratio { ratio });
        }
        let Some(endpoint) = &settings.otlp_endpoint else { return Ok(Self::off()) };
        if !on_loopback(endpoint) {
            return Err(Error::Endpoint { endpoint: endpoint.clone() });
        }
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_protocol(Protocol::Grpc)
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .map_err(|source| Error::Exporter { source: Box::new(source) })?;
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE_SPANS)
            .with_max_export_batch_size(EXPORT_SPANS)
            .with_scheduled_delay(EXPORT_EVERY)
            .build();
        let builder = BatchSpanProcessor::builder(Counted(exporter)).with_batch_config(config);
        let mut processor = builder.build();
        processor.set_resource(&resource(service, &instance.to_string()));
        let scope = InstrumentationScope::builder("causeway").with_version(VERSION).build();
        let ratio = Sampler::TraceIdRatioBased(ratio);
        let inner = Arc::new(Inner { processor, ratio, scope });
        flush_at_the_end(Arc::clone(&inner), shutdown);
        Ok(Self { inner: Some(inner) })
    }

    /// Whether spans are sent at all.
    #[must_use]
    pub const fn on(&self) -> bool {
        self.inner.is_some()
    }

    /// The root of a derived trace, of which every party with the same ratio sends all or nothing.
    #[must_use]
    pub fn derived(&self, digest: &[u8; 32]) -> Context {
        let context = Context::derived(digest);
        context.sampled_if(self.chosen(context.trace))
    }

    /// A span for what a caller asks, who may have sent a `traceparent`: its trace goes on, and its
    /// word on sending holds; else a trace begins, sent by the ratio.
    #[must_use]
    pub fn asked(&self, traceparent: Option<&str>) -> (Context, Option<Context>) {
        if let Some(parent) = traceparent.and_then(Context::read) {
            return (parent.child(), Some(parent));
        }
        let ids = RandomIdGenerator::default();
        let trace = ids.new_trace_id();
        let sampled = self.chosen(trace);
        (Context { trace, span: ids.new_span_id(), sampled }, None)
    }

    /// Sends a span that ended, if its trace is sent; never waits.
    pub fn finish(&self, span: Span) {
        let Some(inner) = self.inner.as_ref().filter(|_| span.context.sampled) else { return };
        metrics::counter!("telemetry_spans_total").increment(1);
        let mut links = SpanLinks::default();
        links.links.extend(span.links.iter().map(|link| Link::with_context(link.otel(true))));
        let time = |micros| SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
        let ended = span.ended_micros.unwrap_or_else(now_micros).max(span.begun_micros);
        let parent = span.parent.filter(|parent| parent.same_trace(&span.context));
        inner.processor.on_end(SpanData {
            span_context: span.context.otel(false),
            parent_span_id: parent.map_or(SpanId::INVALID, |parent| parent.span),
            parent_span_is_remote: false,
            span_kind: kind(span.kind),
            name: Cow::Borrowed(span.name),
            start_time: time(span.begun_micros),
            end_time: time(ended),
            attributes: span.attributes.into_iter().map(attribute).collect(),
            dropped_attributes_count: 0,
            events: sdk::SpanEvents::default(),
            links,
            status: span.failed.map_or(Status::Unset, Status::error),
            instrumentation_scope: inner.scope.clone(),
        });
    }

    fn chosen(&self, trace: TraceId) -> bool {
        self.inner.as_ref().is_some_and(|inner| {
            let sampled = inner.ratio.should_sample(None, trace, "", &SpanKind::Internal, &[], &[]);
            sampled.decision == SamplingDecision::RecordAndSample
        })
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn resource(service: &'static str, instance: &str) -> Resource {
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", service),
            KeyValue::new("service.namespace", "causeway"),
            KeyValue::new("service.instance.id", instance.to_owned()),
            KeyValue::new("service.version", VERSION),
        ])
        .build()
}

/// Plain HTTP to this machine alone: who may see the network's traffic must not see its traces, and
/// an agent beside the service knows how to send them on.
fn on_loopback(endpoint: &str) -> bool {
    let host = reqwest::Url::parse(endpoint).ok().filter(|url| url.scheme() == "http");
    let host = host.and_then(|url| url.host_str().map(str::to_owned));
    let host = host.and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    host.is_some_and(|host| host.is_loopback())
}

fn flush_at_the_end(inner: Arc<Inner>, shutdown: &Shutdown) {
    let token = shutdown.token();
    shutdown.spawn("traces", async move {
        token.cancelled().await;
        let last = move || inner.processor.shutdown_with_timeout(LAST_SPANS);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(last).await {
            tracing::warn!(%error, "the last spans were not sent");
        }
        Ok::<_, std::io::Error>(())
    });
}

fn kind(kind: Kind) -> SpanKind {
    match kind {
        Kind::Internal => SpanKind::Internal,
        Kind::Server => SpanKind::Server,
        Kind::Client => SpanKind::Client,
        Kind::Producer => SpanKind::Producer,
        Kind::Consumer => SpanKind::Consumer,
    }
}

fn attribute((key, value): (&'static str, Value)) -> KeyValue {
    match value {
        Value::Word(word) => KeyValue::new(key, word),
        Value::Number(number) => KeyValue::new(key, number),
        Value::Id(id) => KeyValue::new(key, id),
    }
}

/// Counts what the collector took and did not take.
#[derive(Debug)]
struct Counted(SpanExporter);

impl sdk::SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let sent = self.0.export(batch).await;
        let outcome = if sent.is_ok() { "sent" } else { "lost" };
        metrics::counter!("telemetry_spans_exported_total", "outcome" => outcome).increment(spans);
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}
