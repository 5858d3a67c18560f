//! Everything that reads bytes from outside, as functions of bytes: each asserts what must hold of any bytes, and knows no fuzzer.

mod json;
mod machine;
mod messages;
mod proof;
pub mod seeds;
mod statement;
mod words;
mod xml;

#[path = "../../src/simulation/founding.rs"]
#[expect(dead_code, reason = "shared with the simulation, whose operator changes keys")]
mod founding;
#[path = "../../src/model.rs"]
mod model;
#[path = "../../src/world.rs"]
#[expect(dead_code, reason = "shared with clients of clusters, which need more of it")]
mod world;

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, also of its corpus' folder.
    pub name: &'static str,
    /// Takes any bytes; panics when something does not hold.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 12] = [
    Target { name: "envelope", run: proof::envelope },
    Target { name: "item", run: proof::item },
    Target { name: "record", run: proof::record },
    Target { name: "entry", run: proof::entry },
    Target { name: "container", run: proof::container },
    Target { name: "checkpoint", run: proof::checkpoint },
    Target { name: "words", run: words::words },
    Target { name: "messages", run: messages::messages },
    Target { name: "xml", run: xml::xml },
    Target { name: "statement", run: statement::statement },
    Target { name: "json", run: json::json },
    Target { name: "machine", run: machine::machine },
];

/// The target of a name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
