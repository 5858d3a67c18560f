//! Who is refused: another network, version or folder, and who lost what it acknowledged under the same vote.
use ledger_types::NetworkId;
use openraft::{LogId, Vote, storage::RaftLogStorage};

use super::{Greeter, Hello, Refusal, VERSIONS};
use crate::{
    identity::{Identity, Seen},
    testing,
};

const NETWORK: NetworkId = NetworkId([3; 32]);

#[tokio::test]
async fn who_must_not_take_part_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let (mut log, _writing) = testing::log(data.path()).unwrap();
    let vote = Vote::new_committed(5, 1);
    log.save_vote(&vote).await.unwrap();
    let identity = Identity { network: NETWORK, node: 1, folder: "one".to_owned() };
    let greeter = Greeter::new(identity, Seen::open(data.path()).unwrap(), log).unwrap();
    let at = |index| Some(LogId::new_term_index(5, index));
    let other = |folder: &str, last| Hello {
        versions: VERSIONS,
        network: NETWORK.to_string(),
        node: 2,
        folder: folder.to_owned(),
        process: "later".to_owned(),
        last,
    };
    assert_eq!(greeter.judge(&other("two", at(9))), Ok(()));
    assert_eq!(greeter.judge(&other("new", at(9))), Err(Refusal::Folder(2)));
    let versions = (VERSIONS.1 + 1, VERSIONS.1 + 2);
    let newer = Hello { versions, ..other("two", at(9)) };
    assert_eq!(greeter.judge(&newer), Err(Refusal::Versions(versions.0, versions.1)));
    let foreign = Hello { network: NetworkId([4; 32]).to_string(), ..other("two", at(9)) };
    assert_eq!(greeter.judge(&foreign), Err(Refusal::Network));
    assert_eq!(greeter.judge(&Hello { node: 1, ..other("two", at(9)) }), Err(Refusal::OwnId));

    greeter.acknowledged(2, "before", vote, LogId::new_term_index(5, 9));
    greeter.acknowledged(2, "before", vote, LogId::new_term_index(5, 7));
    assert_eq!(greeter.judge(&other("two", at(8))), Err(Refusal::RolledBack));
    assert_eq!(greeter.judge(&other("two", None)), Err(Refusal::RolledBack));
    assert_eq!(greeter.judge(&other("two", at(9))), Ok(()));
    // Words of one process may overtake each other.
    let late = Hello { process: "before".to_owned(), ..other("two", at(8)) };
    assert_eq!(greeter.judge(&late), Ok(()));
    // What it acknowledged under another vote may have been cut off rightly.
    greeter.acknowledged(2, "before", Vote::new_committed(4, 1), LogId::new_term_index(4, 9));
    assert_eq!(greeter.judge(&other("two", at(1))), Ok(()));
}
