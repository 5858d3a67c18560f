//! Any change of any field of any row breaks the chain there.
use uuid::Uuid;

use super::{Head, Row, START};

fn row(number: i64) -> Row {
    Row {
        number,
        at_micros: 1_700_000_000_000_000 + number,
        actor: "ada".to_owned(),
        key: (number % 2 == 0).then(|| Uuid::from_u128(7)),
        act: "key.made".to_owned(),
        subject: format!("subject-{number}"),
        detail: "{\"scopes\":[\"read\"]}".to_owned(),
    }
}

#[test]
fn a_changed_row_breaks_the_chain() {
    let rows: Vec<Row> = (1..=4).map(row).collect();
    let mut former = START;
    let mut digests = Vec::new();
    for row in &rows {
        former = row.digest(&former);
        digests.push(former);
    }
    let follow = |rows: &[Row]| {
        let both = rows.iter().zip(&digests);
        both.clone().try_fold(Head::default(), |head, (row, digest)| head.follow(row, digest))
    };
    assert_eq!(follow(&rows).unwrap(), Head { number: 4, digest: former });
    let changes: [fn(&mut Row); 7] = [
        |row| row.number += 1,
        |row| row.at_micros += 1,
        |row| row.actor.push('x'),
        |row| row.key = None,
        |row| row.act.push('x'),
        |row| row.subject.push('x'),
        |row| row.detail.push(' '),
    ];
    for (place, change) in changes.iter().enumerate() {
        let mut changed = rows.clone();
        change(&mut changed[1]);
        assert!(follow(&changed).is_none(), "change {place}");
    }
    // Letters that move from one text to the next change what is covered too.
    let mut moved = rows.clone();
    moved[1].actor = "adak".to_owned();
    moved[1].act = "ey.made".to_owned();
    assert!(follow(&moved).is_none());
    let missing = [rows[0].clone(), rows[2].clone()];
    assert!(follow(&missing).is_none());
}
