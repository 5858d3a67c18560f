//! Files that people attach to a break, kept byte for byte.

use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, postgres::PgRow};
use time::OffsetDateTime;

use super::{Act, Office, act, breaks, column, commit, failed};
use crate::{actor::Actor, error::Error};

/// The largest attachment; the table holds the same.
pub(super) const ATTACHMENT_BYTES_MAX: usize = 10 << 20;

/// An attachment without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AttachmentRow {
    pub attachment: i64,
    pub name: String,
    pub digest: String,
    pub size: i32,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub author: String,
}

/// An attachment as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub name: String,
    pub bytes: Vec<u8>,
}

impl Office {
    /// Attaches a file to a break; the same bytes a second time are there already.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty file, one over 10 MiB or a bad name, [`Error::Exists`].
    pub async fn break_attach(
        &self,
        actor: &Actor,
        id: i64,
        file: &Attachment,
        now: OffsetDateTime,
    ) -> Result<i64, Error> {
        actor.may_act()?;
        let letters = file.name.chars().count();
        if letters == 0 || letters > 255 || file.name.contains(['/', '\\', '\0', '\n', '\r']) {
            let reason = "must have 1 to 255 letters and no path".to_owned();
            return Err(Error::Invalid { field: "name", reason });
        }
        if file.bytes.is_empty() || file.bytes.len() > ATTACHMENT_BYTES_MAX {
            let reason = format!("must have 1 to {ATTACHMENT_BYTES_MAX} bytes");
            return Err(Error::Invalid { field: "bytes", reason });
        }
        let mut transaction = self.begin().await?;
        breaks::locked(&mut transaction, actor, id, None).await?;
        let digest = Sha256::digest(&file.bytes);
        let row = sqlx::query(
            "INSERT INTO office.attachments (break, name, digest, bytes, at, author) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (break, digest) DO NOTHING RETURNING attachment",
        )
        .bind(id)
        .bind(&file.name)
        .bind(digest.as_slice())
        .bind(&file.bytes)
        .bind(now)
        .bind(actor.name())
        .fetch_optional(&mut *transaction)
        .await
        .map_err(failed("attach a file"))?;
        let there = || Error::Exists { what: "attachment", id: file.name.clone() };
        let attachment: i64 = column(&row.ok_or_else(there)?, "attachment")?;
        let detail = json!({ "name": file.name, "digest": hex::encode(digest) });
        let line = Act { verb: "attach", subject: "break", id: id.to_string(), detail, actor, now };
        act(&mut transaction, line).await?;
        commit(transaction).await?;
        Ok(attachment)
    }

    /// An attachment of a break.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another participant's.
    pub async fn attachment_fetch(
        &self,
        actor: &Actor,
        id: i64,
        attachment: i64,
    ) -> Result<Attachment, Error> {
        let mut transaction = self.begin().await?;
        breaks::seen(&mut transaction, actor, id).await?;
        let row = sqlx::query(
            "SELECT name, bytes FROM office.attachments WHERE break = $1 AND attachment = $2",
        )
        .bind(id)
        .bind(attachment)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(failed("read an attachment"))?;
        let missing = || Error::NotFound { what: "attachment", id: attachment.to_string() };
        let row = row.ok_or_else(missing)?;
        Ok(Attachment { name: column(&row, "name")?, bytes: column(&row, "bytes")? })
    }
}

pub(super) async fn list(
    connection: &mut PgConnection,
    id: i64,
) -> Result<Vec<AttachmentRow>, Error> {
    let rows = sqlx::query(
        "SELECT attachment, name, digest, length(bytes) AS size, at, author FROM office.attachments
         WHERE break = $1 ORDER BY attachment",
    )
    .bind(id)
    .fetch_all(connection)
    .await
    .map_err(failed("list attachments"))?;
    let own = |row: &PgRow| {
        Ok(AttachmentRow {
            attachment: column(row, "attachment")?,
            name: column(row, "name")?,
            digest: hex::encode(column::<Vec<u8>>(row, "digest")?),
            size: column(row, "size")?,
            at: column(row, "at")?,
            author: column(row, "author")?,
        })
    };
    rows.iter().map(own).collect()
}
