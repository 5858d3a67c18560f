//! References to accounts: what a sender's side puts in an account's place and never opens; each is sealed under a key that needs the reference itself, so that the database alone gives no account.
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit,
    aead::{Aead, Payload},
};
use ledger_proof::codec::Digest;
use ledger_types::{ParticipantId, Timestamp};
use sha2::{Digest as _, Sha256};

use super::{Payees, keyed};
use crate::{
    app::App,
    clock,
    personal::Personal,
    sealing::{Error, random},
    store::{self, Connection, payees::payee_reference_fetch},
};

const PREFIX: &str = "payee-";
/// 112 bits: with the prefix as long as an account may be (ISO 20022 Max34Text).
const RANDOM_BYTES: usize = 14;

/// A new one, which nobody can guess.
///
/// # Errors
/// When the system has no randomness.
pub fn fresh() -> Result<String, Error> {
    Ok(format!("{PREFIX}{}", hex::encode(random::<RANDOM_BYTES>()?)))
}

/// Whether a text has the form of one.
#[must_use]
pub fn is(text: &str) -> bool {
    let digits = text.strip_prefix(PREFIX);
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    digits.is_some_and(|digits| digits.len() == 2 * RANDOM_BYTES && digits.bytes().all(hex))
}

/// What of it is stored.
#[must_use]
pub fn digest(reference: &str) -> Digest {
    Sha256::digest(reference.as_bytes()).into()
}

impl Payees {
    /// Seals an account for one debtor agent.
    ///
    /// # Errors
    /// Never for an account of sane length.
    pub fn seal(
        &self,
        reference: &str,
        debtor_agent: ParticipantId,
        account: &str,
    ) -> Result<Vec<u8>, Error> {
        let payload = Payload { msg: account.as_bytes(), aad: &debtor_agent.0.to_be_bytes() };
        // The key seals this alone, so the nonce need not differ from another's.
        self.cipher(reference).encrypt(&[0; 12].into(), payload).map_err(|_| Error::Broken)
    }

    /// Opens what was sealed for this debtor agent.
    ///
    /// # Errors
    /// When it was sealed for another, by another key, or altered.
    pub fn open(
        &self,
        reference: &str,
        debtor_agent: ParticipantId,
        sealed: &[u8],
    ) -> Result<String, Error> {
        let payload = Payload { msg: sealed, aad: &debtor_agent.0.to_be_bytes() };
        let opened = self.cipher(reference).decrypt(&[0; 12].into(), payload);
        String::from_utf8(opened.map_err(|_| Error::Broken)?).map_err(|_| Error::Malformed)
    }

    fn cipher(&self, reference: &str) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&keyed(&self.key, &[b"reference", reference.as_bytes()]).into())
    }
}

/// Puts the account in the place of a reference to it. One that is unknown, another debtor agent's, or
/// was over when the ledger took the transfer stays as it is: core banking knows no such account.
///
/// # Errors
/// When the store fails.
pub async fn resolved(
    app: &App,
    connection: &mut Connection,
    (debtor_agent, at): (ParticipantId, Timestamp),
    mut personal: Personal,
) -> Result<Personal, store::Error> {
    let Some(reference) = personal.beneficiary.account.as_deref().filter(|text| is(text)) else {
        return Ok(personal);
    };
    let row = payee_reference_fetch(connection, &digest(reference)).await?;
    let row = row.filter(|row| clock::calendar_or_epoch(at) <= row.expires_at);
    let opened = row.and_then(|row| app.payees.open(reference, debtor_agent, &row.sealed).ok());
    if let Some(account) = opened {
        personal.beneficiary.account = Some(account);
    }
    Ok(personal)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ledger_types::ParticipantId;

    use super::{Payees, fresh, is};
    use crate::settings::Payee;

    #[test]
    fn a_reference_opens_for_its_debtor_agent_and_key_alone() {
        let payees = |key| Payees::new(&Payee::default(), BTreeMap::new(), &[key; 32]);
        let (own, other) = (ParticipantId(101), ParticipantId(103));
        let (one, two) = (fresh().unwrap(), fresh().unwrap());
        assert_ne!(one, two);
        let sealed = payees(7).seal(&one, own, "+639000000001").unwrap();
        assert_eq!(payees(7).open(&one, own, &sealed).unwrap(), "+639000000001");
        assert!(payees(7).open(&one, other, &sealed).is_err());
        assert!(payees(7).open(&two, own, &sealed).is_err());
        assert!(payees(8).open(&one, own, &sealed).is_err());
    }

    #[test]
    fn a_reference_fits_where_an_account_does_and_looks_like_none() {
        let reference = fresh().unwrap();
        assert!(is(&reference) && reference.len() == 34, "{reference}");
        for text in ["payee-", "+639000000001", "PAYEE-0011", &reference.to_uppercase()] {
            assert!(!is(text), "{text}");
        }
    }
}
