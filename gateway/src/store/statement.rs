//! Several writes as one statement of Postgres, which costs one turn over the wire instead of one each; it knows no table.
use sqlx::{
    Arguments, AssertSqlSafe, Encode, FromRow, Postgres, Type,
    error::BoxDynError,
    postgres::{PgArguments, PgRow},
};

use super::{Connection, Error};

/// A statement in the making. Its parts see the tables as they were before it, and of each other only what they
/// name; no two may write the same row.
#[derive(Default)]
pub struct Statement {
    parts: Vec<(&'static str, String)>,
    arguments: PgArguments,
    bound: usize,
    failure: Option<BoxDynError>,
}

impl std::fmt::Debug for Statement {
    /// What is bound may be personal.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Statement").field(&self.parts).finish()
    }
}

impl Statement {
    /// Adds a part under a name by which later ones know what it returns. Its parameters count from $1, as if it
    /// were alone, and are bound next.
    pub fn part(&mut self, name: &'static str, text: &str) -> &mut Self {
        self.parts.push((name, counted_from(self.bound, text)));
        self
    }

    /// Whether nothing is asked yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Binds the next parameter.
    pub fn bind<'t>(&mut self, value: impl Encode<'t, Postgres> + Type<Postgres>) -> &mut Self {
        self.bound += 1;
        if let Err(failure) = Arguments::add(&mut self.arguments, value) {
            self.failure.get_or_insert(failure);
        }
        self
    }

    /// Writes all, and gives the rows of the last part.
    ///
    /// # Errors
    /// When it fails: nothing is written.
    pub async fn fetch<R>(self, connection: &mut Connection) -> Result<Vec<R>, Error>
    where
        R: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let (text, arguments) = self.ready()?;
        Ok(sqlx::query_as_with(AssertSqlSafe(text), arguments).fetch_all(connection).await?)
    }

    /// Writes all, and says how many rows the last part wrote.
    ///
    /// # Errors
    /// When it fails: nothing is written.
    pub async fn execute(self, connection: &mut Connection) -> Result<u64, Error> {
        let (text, arguments) = self.ready()?;
        let done = sqlx::query_with(AssertSqlSafe(text), arguments).execute(connection).await?;
        Ok(done.rows_affected())
    }

    fn ready(self) -> Result<(String, PgArguments), Error> {
        if let Some(failure) = self.failure {
            return Err(sqlx::Error::Encode(failure).into());
        }
        Ok((text(self.parts), self.arguments))
    }
}

/// All but the last part as `WITH` before it.
fn text(mut parts: Vec<(&'static str, String)>) -> String {
    let Some((_, last)) = parts.pop() else { return String::new() };
    let before = parts.into_iter().map(|(name, text)| format!("{name} AS ({text})"));
    let before = before.collect::<Vec<_>>().join(", ");
    if before.is_empty() { last } else { format!("WITH {before} {last}") }
}

/// A text with its parameters behind those that are bound before it.
fn counted_from(bound: usize, text: &str) -> String {
    let mut pieces = text.split('$');
    let mut counted = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = piece.split_at(digits);
        let number = number.parse::<usize>().map(|number| (number + bound).to_string());
        counted.push('$');
        counted.push_str(&number.unwrap_or_default());
        counted.push_str(rest);
    }
    counted
}

#[cfg(test)]
mod tests;
