//! Sealing there and back, and every way it must fail; never a real name.
use super::{Error, open, public_key, random, seal};

#[test]
fn sealed_data_opens_for_its_readers_only() {
    let secrets: [[u8; 32]; 3] = [random().unwrap(), random().unwrap(), random().unwrap()];
    let readers = [public_key(&secrets[0]).unwrap(), public_key(&secrets[1]).unwrap()];
    let sealed = seal(b"{\"name\":\"EXAMPLE\"}", &readers).unwrap();
    assert_eq!(sealed.sealed_for.len(), 2);
    for secret in &secrets[..2] {
        let opened = open(&sealed.blob, secret, &sealed.commitment).unwrap();
        assert_eq!(opened, b"{\"name\":\"EXAMPLE\"}");
    }
    assert_eq!(open(&sealed.blob, &secrets[2], &sealed.commitment), Err(Error::NotForUs));
    assert_eq!(open(&sealed.blob, &secrets[0], &[7; 32]), Err(Error::Commitment));
    let mut altered = sealed.blob.clone();
    *altered.last_mut().unwrap() ^= 1;
    assert_eq!(open(&altered, &secrets[0], &sealed.commitment), Err(Error::Broken));
    assert_eq!(open(b"", &secrets[0], &sealed.commitment), Err(Error::Malformed));
    assert_eq!(seal(&[0; 4_096], &readers).unwrap_err(), Error::TooLarge);
}
