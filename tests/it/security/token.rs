//! The signing key of one gateway lies in a token of SoftHSM: every acceptance and confirmation of the test is signed there.
use std::{fs, path::Path, process::Command};

use tests::{fresh_uetr, skipped};

/// Debian's place, which deploy/prerequisites.sh installs.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// DER in front of the 32 bytes of a private key of Ed25519 (RFC 8410, section 7).
const PKCS8: &str = "302e020100300506032b657004220420";
const PIN_LENGTH: usize = 12;

/// A token of this test's own, gone when dropped.
pub(super) struct Token {
    label: String,
}

impl Token {
    /// Moves a participant's signing key into a new token; none where SoftHSM can't be used.
    pub(super) fn of(participant: &Path) -> Option<Self> {
        if !Path::new(MODULE).exists() {
            skipped("SoftHSM is not installed; run deploy/prerequisites.sh");
            return None;
        }
        let label = format!("causeway-{}", &fresh_uetr()[..8]);
        let pin = fresh_uetr().replace('-', "")[..PIN_LENGTH].to_owned();
        let seed = fs::read_to_string(participant.join("signing.key")).unwrap();
        let pem = participant.join("signing.pem");
        fs::write(&pem, pem_of(seed.trim())).unwrap();
        let made = softhsm(&[
            "--init-token",
            "--free",
            "--label",
            &label,
            "--so-pin",
            &pin,
            "--pin",
            &pin,
        ]);
        if let Err(said) = made {
            skipped(&format!("SoftHSM's tokens can't be written here: {said}"));
            return None;
        }
        let token = Self { label };
        let path = pem.to_str().unwrap();
        let import =
            ["--import", path, "--token", &token.label, "--label", "signing", "--id", "01"];
        softhsm(&[&import[..], &["--pin", &pin]].concat()).unwrap();
        fs::remove_file(&pem).unwrap();
        let file = participant.join("token.pin");
        fs::write(&file, pin + "\n").unwrap();
        let config = participant.join("gateway.toml");
        let text = fs::read_to_string(&config).unwrap();
        let kept: Vec<_> = text.lines().filter(|line| !line.starts_with("signing_key")).collect();
        assert_eq!(kept.len() + 1, text.lines().count());
        let section = format!(
            "\n[signing.pkcs11]\nmodule = \"{MODULE}\"\ntoken_label = \"{}\"\nkey_label = \"signing\"\n\
             pin_file = \"{}\"\n",
            token.label,
            file.display(),
        );
        fs::write(&config, kept.join("\n") + &section).unwrap();
        Some(token)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let _gone = softhsm(&["--delete-token", "--token", &self.label]);
    }
}

fn softhsm(words: &[&str]) -> Result<(), String> {
    let output = Command::new("softhsm2-util").args(words).output().map_err(|e| e.to_string())?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

fn pem_of(seed: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let der = hex::decode(format!("{PKCS8}{seed}")).unwrap();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}
