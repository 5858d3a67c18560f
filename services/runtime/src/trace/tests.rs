//! Tests of contexts as W3C writes them, and of what leaves when nothing may.

use super::{Context, Tracer, carried, current, on_loopback, within};
use crate::shutdown::Shutdown;
use crate::telemetry::{Error, Settings};

/// The example of W3C Trace Context, section 3.2.3.
const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_traceparent_is_read_as_it_is_written() {
    let read = Context::read(EXAMPLE).unwrap();
    assert_eq!(read.traceparent(), EXAMPLE);
    assert_eq!(read.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(read.sampled());
    let unsampled = Context::read(&EXAMPLE.replace("-01", "-00")).unwrap();
    assert!(!unsampled.sampled() && unsampled.same_trace(&read));
    let later = Context::read(&EXAMPLE.replace("00-4b", "cc-4b").replace("-01", "-01-more"));
    assert_eq!(later, Some(read));
}

#[test]
fn what_is_malformed_is_none() {
    for wrong in [
        "",
        "00",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4bf92f3577b34da6a3ce929d0e0e47-00f067aa0ba902b7-01",
    ] {
        assert_eq!(Context::read(wrong), None, "{wrong}");
    }
}

#[test]
fn a_caller_s_trace_goes_on_and_one_of_our_own_begins_otherwise() {
    let tracer = Tracer::off();
    let (span, parent) = tracer.asked(Some(EXAMPLE));
    assert_eq!(parent, Context::read(EXAMPLE));
    assert!(span.sampled() && span.same_trace(&parent.unwrap()) && Some(span) != parent);
    let (first, none) = tracer.asked(Some("rubbish"));
    let (second, _) = tracer.asked(None);
    assert!(none.is_none() && !first.sampled() && !first.same_trace(&second));
}

#[test]
fn who_knows_the_digest_knows_the_trace() {
    let mut digest = [7; 32];
    assert_eq!(Context::derived(&digest), Context::derived(&digest));
    assert_eq!(Context::derived(&digest).trace_id(), "07".repeat(16));
    digest[31] = 8;
    assert_eq!(Context::derived(&digest), Context::derived(&[7; 32]));
    digest[0] = 8;
    assert!(!Context::derived(&digest).same_trace(&Context::derived(&[7; 32])));
}

#[tokio::test]
async fn a_spawned_task_knows_its_span_only_if_it_is_carried() {
    let context = Context::read(EXAMPLE).unwrap();
    assert_eq!(current(), None);
    let (spawned, carrying) = within(context, async {
        assert_eq!(current(), Some(context));
        let spawned = tokio::spawn(async { current() });
        let carrying = tokio::spawn(carried(async {
            tokio::task::yield_now().await;
            current()
        }));
        (spawned.await.unwrap(), carrying.await.unwrap())
    })
    .await;
    assert_eq!((spawned, carrying), (None, Some(context)));
}

#[test]
fn spans_leave_for_this_machine_alone() {
    for good in ["http://127.0.0.1:4317", "http://[::1]:4317"] {
        assert!(on_loopback(good), "{good}");
    }
    for wrong in ["https://127.0.0.1:4317", "http://192.0.2.1:4317", "http://localhost:4317", "x"] {
        assert!(!on_loopback(wrong), "{wrong}");
    }
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_named() {
    let shutdown = Shutdown::new();
    let ratio = Settings { sampling_ratio: 1.5, ..Settings::default() };
    let refused = Tracer::new(&ratio, "node", 1, &shutdown);
    assert!(matches!(refused, Err(Error::Ratio { .. })));
    let away = Some("http://192.0.2.1:4317".to_owned());
    let away = Settings { otlp_endpoint: away, ..Settings::default() };
    let refused = Tracer::new(&away, "node", 1, &shutdown);
    assert!(matches!(refused, Err(Error::Endpoint { .. })));
    assert!(!Tracer::new(&Settings::default(), "node", 1, &shutdown).unwrap().on());
}
