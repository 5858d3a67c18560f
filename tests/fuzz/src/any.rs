//! The fuzzer's one program, which runs the target that `FUZZ_TARGET` names; it asserts nothing itself.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tests_targets::Target;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    tests_targets::target(&name).unwrap_or_else(|| panic!("there is no target {name}"))
});

fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
