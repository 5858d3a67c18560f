//! Who takes new work while which disks are full.
use super::Rooms;

#[test]
fn new_work_needs_room_here_and_at_a_majority() {
    // Own room; the others' as heard; whether work is taken; who else has room.
    let cases: [(bool, &[bool], bool, Option<u64>); 7] = [
        (true, &[], true, None),
        (true, &[true, true], true, Some(1)),
        (true, &[false, true], true, Some(2)),
        (true, &[false, false], false, None),
        (true, &[false], true, None),
        (false, &[true, true], false, Some(1)),
        (false, &[], false, None),
    ];
    for (own, others, open, elsewhere) in cases {
        let rooms = Rooms::new([], 1);
        (1..).zip(others).for_each(|(node, room)| rooms.hear(node, *room));
        rooms.take(own, 3);
        assert_eq!((rooms.open(), rooms.elsewhere()), (open, elsewhere), "{own} {others:?}");
        assert_eq!(rooms.own(), own);
    }
}

#[test]
fn a_disk_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    for (least, open) in [(1, true), (u64::MAX, false)] {
        let rooms = Rooms::new([folder.path().to_owned()], least);
        rooms.look(1).unwrap();
        assert_eq!(rooms.open(), open, "{least}");
    }
}
