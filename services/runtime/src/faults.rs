//! Places where a build made for tests ends the process or misbehaves on command; in any other build they are nothing.

/// Ends the process at once, as a crash would, when the variable `FAILPOINTS` says so of `point`.
#[inline]
pub fn crash_point(point: &'static str) {
    let _unused_without_faults = point;
    fail::fail_point!(point, |_| std::process::abort());
}

/// Whether a test planted a bug.
#[inline]
#[must_use]
pub fn planted(bug: &'static str) -> bool {
    let _unused_without_faults = bug;
    fail::fail_point!(bug, |_| true);
    false
}
