//! The rules of a question's fields, the same for who asks by REST and for another gateway; it asks nobody.
use ledger_types::StatusReason;

use super::{Name, Payee};
use crate::{
    problem::Problem,
    transfers::order::{iban, text},
};

/// As of a transfer's creditor account (ISO 20022 Max34Text).
const ACCOUNT_CHARS_MAX: usize = 34;
/// As of a transfer's creditor.
const NAME_CHARS_MAX: usize = 140;
/// Digits of a number with its country code (ITU-T E.164, section 6).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// RFC 5321, section 4.5.3.1: the local part, and an address within its path.
const LOCAL_PART_BYTES_MAX: usize = 64;
const EMAIL_BYTES_MAX: usize = 254;

/// Exactly one of account, phone and email.
///
/// # Errors
/// Names the field that breaks its rule.
pub fn payee(
    account: Option<String>,
    phone: Option<String>,
    email: Option<String>,
) -> Result<Payee, Problem> {
    match (account, phone, email) {
        (Some(account), None, None) => account_of(account),
        (None, Some(phone), None) => phone_of(phone),
        (None, None, Some(email)) => email_of(email),
        (None, None, None)
        | (Some(_), Some(_), _)
        | (Some(_), _, Some(_))
        | (_, Some(_), Some(_)) => {
            Err(Problem::field("account", "give exactly one of account, phone and email"))
        }
    }
}

fn account_of(account: String) -> Result<Payee, Problem> {
    text("account", Some(&account), ACCOUNT_CHARS_MAX)?;
    if account.trim().is_empty() {
        let missing = Problem::field("account", "must not be empty");
        return Err(missing.because(StatusReason::known(b"AC03")));
    }
    iban("account", Some(&account))?;
    Ok(Payee::Account(account))
}

fn phone_of(phone: String) -> Result<Payee, Problem> {
    let digits = phone.strip_prefix('+').unwrap_or_default();
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain && PHONE_DIGITS.contains(&digits.len()) && !digits.starts_with('0') {
        return Ok(Payee::Phone(phone));
    }
    let rule = "must be a number with its country code, as +639170000001 (E.164)";
    Err(Problem::field("phone", rule).because(StatusReason::known(b"BE23")))
}

fn email_of(email: String) -> Result<Payee, Problem> {
    let visible = email.bytes().all(|byte| byte.is_ascii_graphic());
    let parts = email.split_once('@').filter(|(local, domain)| {
        (1..=LOCAL_PART_BYTES_MAX).contains(&local.len())
            && !domain.is_empty()
            && !domain.contains('@')
    });
    if visible && parts.is_some() && email.len() <= EMAIL_BYTES_MAX {
        return Ok(Payee::Email(email));
    }
    let rule =
        "must be an address such as bea@wallet.example, at most 254 visible ASCII characters";
    Err(Problem::field("email", rule).because(StatusReason::known(b"BE23")))
}

/// The name that the sender typed; with an account there must be one, or whoever asks would only learn
/// that the account is there.
///
/// # Errors
/// When it breaks its rule.
pub fn name(payee: &Payee, name: Option<String>) -> Result<Option<Name>, Problem> {
    text("name", name.as_deref(), NAME_CHARS_MAX)?;
    match name.filter(|name| !name.trim().is_empty()) {
        Some(name) => Ok(Some(Name(name))),
        None if payee.proxy() => Ok(None),
        None => {
            let missing = Problem::field("name", "must be given with an account");
            Err(missing.because(StatusReason::known(b"BE22")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{name, payee};

    #[test]
    fn fields_keep_their_rules() {
        let some = |text: &str| Some(text.to_owned());
        for account in ["+639000000001", "PK36SCBL0000001123456702", "12 345"] {
            assert!(payee(some(account), None, None).is_ok(), "{account}");
        }
        for account in ["", " ", "PK37SCBL0000001123456702", "a\nb", &"9".repeat(35)] {
            assert!(payee(some(account), None, None).is_err(), "{account:?}");
        }
        for (phone, good) in [
            ("+639170000001", true),
            ("+1234567", true),
            ("639170000001", false),
            ("+0639170000001", false),
            ("+63 917 000 0001", false),
            ("+1234567890123456", false),
        ] {
            assert_eq!(payee(None, some(phone), None).is_ok(), good, "{phone}");
        }
        for (email, good) in [
            ("bea@wallet.example", true),
            ("@wallet.example", false),
            ("bea@", false),
            ("a@b@c", false),
            ("bea testperson@wallet.example", false),
        ] {
            assert_eq!(payee(None, None, some(email)).is_ok(), good, "{email}");
        }
        assert!(payee(None, None, None).is_err());
        assert!(payee(some("1"), some("+1234567"), None).is_err());
    }

    #[test]
    fn an_account_is_never_checked_without_a_name() {
        let account = payee(Some("1".to_owned()), None, None).unwrap();
        let phone = payee(None, Some("+1234567".to_owned()), None).unwrap();
        for empty in [None, Some(" ".to_owned())] {
            assert!(name(&account, empty.clone()).is_err());
            assert_eq!(name(&phone, empty).unwrap(), None);
        }
        assert!(name(&account, Some("Bea Testperson".to_owned())).unwrap().is_some());
    }
}
