//! UETRs that the same thing gets each time it comes, where nobody gave it one; it knows no thing.
use ledger_types::Uetr;
use sha2::{Digest as _, Sha256};

/// The name of what `parts` say, of a kind that `domain` keeps apart from all others: the first 16
/// bytes of their SHA-256, as a UUID version 4.
#[must_use]
pub fn uetr(domain: &[u8], parts: &[&[u8]]) -> Uetr {
    let mut hash = Sha256::new_with_prefix(domain);
    parts.iter().for_each(|part| hash.update(part));
    let [bytes @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _]: [u8; 32] =
        hash.finalize().into();
    Uetr::from_random(bytes)
}

#[cfg(test)]
mod tests {
    use super::uetr;

    #[test]
    fn the_same_parts_have_the_same_name_in_one_domain() {
        let name = uetr(b"one", &[b"a", b"b"]);
        assert_eq!(name, uetr(b"one", &[b"ab"]), "whoever calls keeps parts apart");
        assert_ne!(name, uetr(b"other", &[b"a", b"b"]));
        // SHA-256 of `oneab`, with the version and the variant of a random UUID.
        assert_eq!(name.to_string(), "247dc2b6-9ef1-41b7-8094-c4231925238b");
    }
}
