//! The README's walk-through, run as written against a running demonstration.
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use services_cli::demo::processes::binary;

/// The demonstration, ended when the test is over.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        // It may have ended by itself.
        let _ended = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT);
        self.0.wait().unwrap();
    }
}

#[test]
fn readme_walk_through_settles_a_transfer() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (info, words) = (folder.path().join("demo.json"), folder.path().join("words"));
    let child = Command::new(binary().unwrap())
        .args(["demo", "--transfers", "1", "--info"])
        .arg(&info)
        .env_remove("DATABASE_URL")
        .stdout(Stdio::null())
        .stderr(fs::File::create(&words).unwrap())
        .spawn()
        .unwrap();
    let mut demo = Demo(child);
    let until = Instant::now() + Duration::from_secs(180);
    while !info.exists() {
        let goes_on = demo.0.try_wait().unwrap().is_none() && Instant::now() < until;
        assert!(goes_on, "it does not start: {}", fs::read_to_string(&words).unwrap());
        std::thread::sleep(Duration::from_millis(100));
    }
    // What begins with `make` is what this test did above, or runs this test.
    let blocks = blocks(&readme);
    let script = blocks.iter().filter(|block| !block.starts_with("make")).cloned();
    let script = script.collect::<Vec<_>>().join("\n");
    assert!(script.contains("curl"), "the README walks through by curl");
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("\"CREDITED\""), "{said}\n{errors}");
}

/// The fenced blocks marked `sh`, in order.
pub(crate) fn blocks(text: &str) -> Vec<String> {
    let parts = text.split("```sh\n").skip(1);
    parts.filter_map(|part| part.split_once("```")).map(|(block, _)| block.to_owned()).collect()
}
