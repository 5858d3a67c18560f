//! What several writes read as, once they are one statement.
use super::{Statement, counted_from, text};

#[test]
fn parameters_count_on() {
    for (bound, text, counted) in [
        (0, "SELECT $1, $2::bigint[]", "SELECT $1, $2::bigint[]"),
        (9, "SELECT $1, $2::bigint[]", "SELECT $10, $11::bigint[]"),
        (3, "DELETE FROM a WHERE b = ANY ($12)", "DELETE FROM a WHERE b = ANY ($15)"),
        (3, "SELECT 1", "SELECT 1"),
    ] {
        assert_eq!(counted_from(bound, text), counted);
    }
}

#[test]
fn parts_become_one_statement() {
    let mut both = Statement::default();
    both.part("a", "INSERT INTO a SELECT $1").bind(1_i64);
    assert_eq!(text(both.parts.clone()), "INSERT INTO a SELECT $1");
    both.part("b", "UPDATE b SET c = $2 WHERE d = $1").bind(2_i64).bind("x");
    both.part("e", "SELECT * FROM a");
    let (text, _) = both.ready().expect("bound");
    assert_eq!(
        text,
        "WITH a AS (INSERT INTO a SELECT $1), b AS (UPDATE b SET c = $3 WHERE d = $2) SELECT * FROM a"
    );
}
