//! Keys of a new network and their files; a key is written once, for its owner only, and never shown.
use std::{fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use anyhow::Context as _;
use ed25519_dalek::SigningKey;
use hpke::{Deserializable as _, Kem as _, Serializable as _, kem::X25519HkdfSha256};
use ledger_proof::codec::Digest;
use services_reports::Signer;

use super::founding::nonce;

/// A secret of 32 bytes.
pub struct Secret(Digest);

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret")
    }
}

impl Secret {
    /// Thirty-two random bytes.
    pub fn generate() -> anyhow::Result<Self> {
        nonce().map(Self)
    }

    /// Reads a file of 64 hexadecimal digits.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let shown = file.display();
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("{shown}: cannot be read; give the key's file"))?;
        let bytes = hex::decode(text.trim()).ok().and_then(|bytes| Digest::try_from(bytes).ok());
        bytes.map(Self).with_context(|| format!("{shown}: must be 64 hexadecimal digits"))
    }

    /// Writes the file, which must be absent, readable by its owner only.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        let shown = file.display();
        let failed = || format!("{shown}: cannot be written; it must be absent");
        let folder = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).with_context(failed)?;
        let mut options = OpenOptions::new();
        let mut open =
            options.write(true).create_new(true).mode(0o600).open(file).with_context(failed)?;
        writeln!(open, "{}", hex::encode(self.0)).with_context(failed)
    }

    /// As an ed25519 key.
    pub fn signing(&self) -> SigningKey {
        SigningKey::from_bytes(&self.0)
    }

    /// As who signs reports under a name.
    pub fn signer(&self, name: &str) -> anyhow::Result<Signer> {
        Signer::new(name, &self.0).map_err(|error| anyhow::anyhow!("--{error}"))
    }

    /// The ed25519 public key.
    pub fn signing_public(&self) -> Digest {
        self.signing().verifying_key().to_bytes()
    }

    /// The X25519 public key.
    pub fn sealing_public(&self) -> anyhow::Result<Digest> {
        let failed = || "no X25519 key can be made of these bytes";
        let private = <X25519HkdfSha256 as hpke::Kem>::PrivateKey::from_bytes(&self.0);
        let private = private.ok().with_context(failed)?;
        let public = X25519HkdfSha256::sk_to_pk(&private).to_bytes();
        Digest::try_from(public.as_slice()).ok().with_context(failed)
    }
}
