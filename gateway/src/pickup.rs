//! A cash pickup's code: made by the debtor agent for the sender alone; the creditor agent gets its salted digest, sealed, and never the code.
use hmac::{Hmac, KeyInit, Mac};
use ledger_proof::codec::Digest;
use ledger_types::TransferId;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

const CODE: &[u8] = b"causeway/pickup/code/v1";
const DIGEST: &[u8] = b"causeway/pickup/digest/v1";
/// Crockford's base 32: no letter that is taken for another.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 80 bits: nobody who has the digest finds the code by trying.
const LENGTH: usize = 16;
const GROUP: usize = 4;

/// What the creditor agent checks a code with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pickup {
    /// 16 random bytes, hexadecimal.
    salt: String,
    /// HMAC-SHA256 of the transfer and its code under the salt, hexadecimal.
    digest: String,
}

impl std::fmt::Debug for Pickup {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Pickup(‹sealed›)")
    }
}

/// The code of a transfer, in groups of four: only who has the secret can make it.
#[must_use]
pub fn code(secret: &Digest, transfer: TransferId) -> String {
    let bytes = mac(secret, CODE, transfer, b"");
    // The first five bits of each byte.
    let letters = bytes.iter().take(LENGTH).map(|byte| LETTERS[usize::from(byte >> 3)]);
    let letters: Vec<char> = letters.map(char::from).collect();
    let groups: Vec<String> = letters.chunks(GROUP).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

impl Pickup {
    /// Of a code, under a salt.
    #[must_use]
    pub fn new(transfer: TransferId, code: &str, salt: [u8; 16]) -> Self {
        let digest = mac(&salt, DIGEST, transfer, plain(code).as_bytes());
        Self { salt: hex::encode(salt), digest: hex::encode(digest) }
    }

    /// Whether it has the form of one: who seals it is another participant.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let hex = |text: &str, bytes: usize| {
            text.len() == 2 * bytes && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        hex(&self.salt, 16) && hex(&self.digest, 32)
    }

    /// Whether a code is the transfer's; small letters, spaces and hyphens do not matter, O is 0, I
    /// and L are 1.
    #[must_use]
    pub fn opens(&self, transfer: TransferId, code: &str) -> bool {
        let (Ok(salt), Ok(digest)) = (hex::decode(&self.salt), hex::decode(&self.digest)) else {
            return false;
        };
        let Some(mac) = begun(&salt, DIGEST, transfer) else { return false };
        mac.chain_update(plain(code)).verify_slice(&digest).is_ok()
    }
}

fn plain(code: &str) -> String {
    let letters = code.chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
    letters
        .map(|letter| match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

fn begun(key: &[u8], domain: &[u8], transfer: TransferId) -> Option<Hmac<Sha256>> {
    let mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    let agent = transfer.debtor_agent.0.to_be_bytes();
    Some(mac.chain_update(domain).chain_update(agent).chain_update(transfer.uetr.bytes()))
}

fn mac(key: &[u8], domain: &[u8], transfer: TransferId, text: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length.
    let Some(mac) = begun(key, domain, transfer) else { return Vec::new() };
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use ledger_types::{ParticipantId, TransferId, Uetr};

    use super::{Pickup, code};

    #[test]
    fn a_code_opens_its_transfer_alone_however_it_is_written() {
        let transfer = |random| TransferId {
            debtor_agent: ParticipantId(101),
            uetr: Uetr::from_random([random; 16]),
        };
        let (one, other) = (transfer(1), transfer(2));
        let own = code(&[7; 32], one);
        assert_eq!(own.len(), 19, "{own}");
        assert!(own.split('-').all(|group| group.len() == 4));
        let pickup = Pickup::new(one, &own, [3; 16]);
        assert!(pickup.opens(one, &own));
        assert!(pickup.opens(one, &own.replace('-', " ").to_lowercase().replace('0', "o")));
        assert!(!pickup.opens(other, &own));
        assert!(!pickup.opens(one, &code(&[8; 32], one)));
        assert!(!pickup.opens(one, ""));
        assert_ne!(code(&[7; 32], other), own);
        assert_ne!(Pickup::new(one, &own, [4; 16]), pickup, "the salt hides equal codes");
    }
}
