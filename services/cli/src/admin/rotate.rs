//! `causeway admin rotate-key`: a participant's new signing key, known to the ledger before anything signs with it. It must
//! never retire the key that is in place.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use ledger_proof::{
    Item,
    operator::{AddKey, KeyKind, RetireKey},
    signature::key_id,
};
use ledger_types::ParticipantId;
use serde_json::json;

use super::authority::Folder;
use super::operate::Said;
use crate::network::{founding::nonce, keys::Secret};

const TIMEOUT: Duration = Duration::from_secs(30);
const OPERATOR: &str = "operator/client";

/// Adds a key and puts it in place, or retires the former one.
pub async fn run(folder: &Folder, participant: u32, retire: bool) -> anyhow::Result<Said> {
    let label = folder.plan.participant(participant)?.label();
    let own = folder.path.join("participants").join(label);
    let id = ParticipantId(participant);
    let (current, former, next) =
        (own.join("signing.key"), own.join("signing.key.former"), own.join("signing.key.next"));
    let client = folder.client(OPERATOR, TIMEOUT)?;
    if retire {
        anyhow::ensure!(former.exists(), "{}: is not there; rotate first", former.display());
        let public_key = Secret::read(&former)?.signing_public();
        let key = key_id(KeyKind::Signing, &public_key);
        let item = Item::RetireKey(RetireKey { nonce: nonce()?, participant: id, key });
        folder.submit(&client, ParticipantId::OPERATOR, &[item]).await?;
        fs::remove_file(&former)?;
        let text = format!("key {key} of participant {participant} is retired for ever");
        return Ok(Said::done(text, json!({ "retired": key.to_string() })));
    }
    anyhow::ensure!(
        !former.exists() || next.exists(),
        "{}: a former key is not retired yet; run this with --retire first",
        former.display()
    );
    // A key of a run that was cut off is taken up, so that none is added for nothing.
    if !next.exists() {
        Secret::generate()?.write(&next)?;
    }
    let public_key = Secret::read(&next)?.signing_public();
    let key = key_id(KeyKind::Signing, &public_key);
    let kind = KeyKind::Signing;
    let known = client.network().await?;
    let row = known.participants.iter().find(|row| row.id == id);
    let row = row.with_context(|| format!("participant {participant} is not admitted"))?;
    if !row.signing_keys.contains(&public_key) {
        let item = Item::AddKey(AddKey { nonce: nonce()?, participant: id, kind, public_key });
        folder.submit(&client, ParticipantId::OPERATOR, &[item]).await?;
    }
    // At every moment there is a key in place.
    if !former.exists() {
        fs::hard_link(&current, &former)?;
    }
    fs::rename(&next, &current)?;
    let text = format!(
        "participant {participant} signs with key {key} from now on: restart its services, then \
         retire the former key by --retire"
    );
    Ok(Said::done(text, json!({ "added": key.to_string() })))
}
