//! Seals personal data for its readers and opens what was sealed for us; it stores nothing and logs nothing of it.
use arrayvec::ArrayVec;
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit,
    aead::{Aead, Payload},
};
use hpke::{
    Deserializable, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305 as HpkeCipher,
    kdf::HkdfSha256, kem::X25519HkdfSha256,
};
use ledger_proof::{
    codec::{Digest, Field},
    operator::KeyKind,
    sealed::{BLOB_LENGTH_MAX, Blob, WRAP_INFO, WrappedKey, blob_digest, commitment},
    signature::key_id,
};
use ledger_types::KeyId;

#[cfg(test)]
mod tests;

type Kem = X25519HkdfSha256;
type PublicKey = <Kem as hpke::Kem>::PublicKey;
type PrivateKey = <Kem as hpke::Kem>::PrivateKey;
type Encapsulated = <Kem as hpke::Kem>::EncappedKey;

/// Why data was not sealed or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No randomness.
    #[error("the system gives no randomness")]
    Randomness,
    /// A reader's key is no X25519 key.
    #[error("a reader's sealing key is unusable")]
    ReaderKey,
    /// Too much data.
    #[error("the sealed data exceeds 4 KiB")]
    TooLarge,
    /// The bytes are no blob.
    #[error("the blob is malformed")]
    Malformed,
    /// The blob is not sealed for our key.
    #[error("the blob is not sealed for this gateway's key")]
    NotForUs,
    /// The key or the data does not open: it was altered.
    #[error("the blob does not open")]
    Broken,
    /// The data is not what the transfer commits to.
    #[error("the data is not what the transfer commits to")]
    Commitment,
}

/// What a submit says of sealed data, and the blob that goes beside it.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The blob's bytes.
    pub blob: Vec<u8>,
    /// Its digest.
    pub blob_digest: Digest,
    /// Commitment to the plaintext.
    pub commitment: Digest,
    /// Whom it is wrapped for.
    pub sealed_for: ArrayVec<KeyId, 4>,
}

/// Seals a plaintext for some public keys, under a fresh data key.
///
/// # Errors
/// When a key is unusable or the data too large.
pub fn seal(plaintext: &[u8], readers: &[Digest]) -> Result<Sealed, Error> {
    let data_key: Digest = random()?;
    let salt: Digest = random()?;
    let nonce: [u8; 12] = random()?;
    let mut wrapped_keys = ArrayVec::new();
    for reader in readers {
        wrapped_keys.try_push(wrap(&data_key, reader)?).map_err(|_| Error::TooLarge)?;
    }
    let mut salted = salt.to_vec();
    salted.extend_from_slice(plaintext);
    let cipher = ChaCha20Poly1305::new(&data_key.into());
    let ciphertext = cipher.encrypt(&nonce.into(), &*salted).map_err(|_| Error::Broken)?;
    let sealed_for = wrapped_keys.iter().map(|key: &WrappedKey| key.key).collect();
    let blob = Blob { wrapped_keys, nonce, ciphertext }.to_bytes();
    if blob.len() > BLOB_LENGTH_MAX {
        return Err(Error::TooLarge);
    }
    Ok(Sealed {
        blob_digest: blob_digest(&blob),
        commitment: commitment(&salt, plaintext),
        blob,
        sealed_for,
    })
}

/// Opens a blob with our X25519 secret and checks it against the commitment.
///
/// # Errors
/// When it is not for us, was altered, or is not what was committed to.
pub fn open(blob: &[u8], secret: &Digest, committed: &Digest) -> Result<Vec<u8>, Error> {
    let blob = Blob::from_bytes(blob).map_err(|_| Error::Malformed)?;
    let private = PrivateKey::from_bytes(secret).map_err(|_| Error::ReaderKey)?;
    let own = key_id(KeyKind::Sealing, &public_key(secret)?);
    let wrapped = blob.wrapped_keys.iter().find(|wrapped| wrapped.key == own);
    let wrapped = wrapped.ok_or(Error::NotForUs)?;
    let encapsulated =
        Encapsulated::from_bytes(&wrapped.encapsulated).map_err(|_| Error::Malformed)?;
    let mut context = hpke::setup_receiver::<HpkeCipher, HkdfSha256, Kem>(
        &OpModeR::Base,
        &private,
        &encapsulated,
        WRAP_INFO,
    )
    .map_err(|_| Error::Broken)?;
    let data_key = context.open(&wrapped.sealed, b"").map_err(|_| Error::Broken)?;
    let data_key: Digest = data_key.try_into().map_err(|_| Error::Broken)?;
    let cipher = ChaCha20Poly1305::new(&data_key.into());
    let payload = Payload { msg: &blob.ciphertext, aad: b"" };
    let salted = cipher.decrypt(&blob.nonce.into(), payload).map_err(|_| Error::Broken)?;
    let (salt, plaintext) = salted.split_first_chunk::<32>().ok_or(Error::Malformed)?;
    if commitment(salt, plaintext) != *committed {
        return Err(Error::Commitment);
    }
    Ok(plaintext.to_vec())
}

/// The public key of an X25519 secret.
///
/// # Errors
/// When the secret is unusable.
pub fn public_key(secret: &Digest) -> Result<Digest, Error> {
    let private = PrivateKey::from_bytes(secret).map_err(|_| Error::ReaderKey)?;
    let public = <Kem as hpke::Kem>::sk_to_pk(&private);
    public.to_bytes().as_slice().try_into().map_err(|_| Error::ReaderKey)
}

/// Random bytes of the system.
///
/// # Errors
/// When the system has none.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map(|()| bytes).map_err(|_| Error::Randomness)
}

fn wrap(data_key: &Digest, reader: &Digest) -> Result<WrappedKey, Error> {
    let public = PublicKey::from_bytes(reader).map_err(|_| Error::ReaderKey)?;
    let (encapsulated, mut context) =
        hpke::setup_sender::<HpkeCipher, HkdfSha256, Kem>(&OpModeS::Base, &public, WRAP_INFO)
            .map_err(|_| Error::ReaderKey)?;
    let sealed = context.seal(data_key, b"").map_err(|_| Error::ReaderKey)?;
    Ok(WrappedKey {
        key: key_id(KeyKind::Sealing, reader),
        encapsulated: encapsulated
            .to_bytes()
            .as_slice()
            .try_into()
            .map_err(|_| Error::ReaderKey)?,
        sealed: sealed.try_into().map_err(|_| Error::ReaderKey)?,
    })
}
