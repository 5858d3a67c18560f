//! Breaks downloaded, edited elsewhere and taken back: all of the changes, or none.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{BreakFilter, BreakRow, Office, breaks, commit};
use crate::{
    actor::Actor,
    breaks::Resolution,
    edit::{self, Preview},
    error::Error,
};

impl Office {
    /// Breaks as CSV, to be edited and taken back: all that fit, unless the filter limits them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn break_export(
        &self,
        actor: &Actor,
        filter: &BreakFilter,
    ) -> Result<Vec<u8>, Error> {
        let (mut filter, mut all) = (filter.clone(), Vec::new());
        let limited = filter.limit > 0;
        loop {
            let rows = self.break_list(actor, &filter).await?;
            let full = i64::try_from(rows.len()).is_ok_and(|count| count >= breaks::LIMIT);
            filter.after = rows.last().map(|row| (row.due_at, row.id));
            all.extend(rows);
            if limited || !full {
                return edit::export(&all);
            }
        }
    }

    /// What an edited table would change, and which of its rows are refused.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is no such table.
    pub async fn break_import_preview(
        &self,
        actor: &Actor,
        bytes: &[u8],
    ) -> Result<Preview, Error> {
        let rows = self.breaks_named(actor, &edit::numbers(bytes)).await?;
        let rows: BTreeMap<i64, BreakRow> = rows.into_iter().map(|row| (row.id, row)).collect();
        edit::preview(bytes, &rows)
    }

    /// Makes the changes of an edited table: all of them in one SQL transaction, or none if one row is refused.
    ///
    /// # Errors
    /// [`Error::Stale`] if a break was changed since the preview; what is refused is in the preview, and no error.
    pub async fn break_import(
        &self,
        actor: &Actor,
        bytes: &[u8],
        now: OffsetDateTime,
    ) -> Result<Preview, Error> {
        actor.may_judge()?;
        let preview = self.break_import_preview(actor, bytes).await?;
        if !preview.refusals.is_empty() {
            return Ok(preview);
        }
        let mut transaction = self.begin().await?;
        for change in &preview.changes {
            let mut version = change.version;
            if let Some(comment) = &change.comment {
                breaks::locked(&mut transaction, actor, change.id, Some(version)).await?;
                breaks::comment(&mut transaction, actor, change.id, comment, now).await?;
            }
            if let Some(owner) = &change.owner {
                let owner = Some(owner.as_str());
                breaks::assign(&mut transaction, actor, (change.id, version), owner, now).await?;
                version += 1;
            }
            let resolution = change.resolution.as_deref().and_then(Resolution::of);
            if let Some(resolution) = resolution {
                breaks::close(&mut transaction, actor, (change.id, version), resolution, now)
                    .await?;
            }
        }
        commit(transaction).await?;
        Ok(preview)
    }
}
