//! Messages of the wire: whatever converts to the field's words goes back and forth unchanged.
use std::fmt;

use prost::Message;
use proto::{convert, ledger as wire};

/// Decodes a message and takes its value to the wire and back.
fn there_and_back<W, T>(bytes: &[u8])
where
    W: Message + Default + From<T>,
    T: TryFrom<W> + Clone + fmt::Debug,
{
    let Ok(message) = W::decode(bytes) else { return };
    let Ok(value) = T::try_from(message) else { return };
    let again = W::decode(W::from(value.clone()).encode_to_vec().as_slice());
    let again = again.ok().and_then(|message| T::try_from(message).ok());
    // Not every value has an equality of its own; what it shows of itself must be the same.
    assert_eq!(again.map(|again| format!("{again:?}")), Some(format!("{value:?}")));
}

pub(crate) fn messages(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 8 {
        0 => there_and_back::<wire::Outcome, convert::Outcome>(bytes),
        1 => there_and_back::<wire::SubmitResponse, convert::Submitted>(bytes),
        2 => there_and_back::<wire::Transfer, convert::Transfer>(bytes),
        3 => {
            there_and_back::<wire::Balance, convert::Balance>(bytes);
            let balance = wire::Balance::decode(bytes).ok();
            let balance = balance.and_then(|wire| convert::Balance::try_from(wire).ok());
            let _shown = balance.map(|balance| balance.available());
        }
        4 => there_and_back::<wire::RecordEvent, convert::RecordEvent>(bytes),
        5 => there_and_back::<wire::GetNetworkResponse, convert::Network>(bytes),
        6 => {
            let event = wire::Event::decode(bytes).map(convert::Event::try_from);
            let _heard = event.is_ok_and(|event| event.is_ok());
        }
        _ => {
            let asked = wire::GetTransferRequest::decode(bytes);
            let uetr = asked.ok().and_then(|asked| convert::uetr(&asked.uetr).ok());
            assert!(uetr.is_none_or(|uetr| uetr.to_string().parse() == Ok(uetr)));
        }
    }
}
