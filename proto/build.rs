//! Generates the protobuf code with protox, so that no system `protoc` is needed.
use std::{error::Error, path::Path};

const FILES: [&str; 4] = [
    "causeway/ledger/v1/ledger.proto",
    "causeway/fx/v1/fx.proto",
    "causeway/payee/v1/payee.proto",
    "causeway/peer/v1/peer.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        assert!(Path::new(file).exists(), "{file} is missing");
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(FILES, ["."])?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
