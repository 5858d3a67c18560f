//! A transfer as a message of ISO 20022, for those who may see what the message says.
use axum::{extract::State, response::Response};
use services_iso20022::{pacs002, pacs008::WriteError};

use super::{Report, messages, xml};
use crate::{
    app::App,
    problem::{Code, Problem},
    routes::{
        Query, Segments,
        caller::{Caller, Scope},
        params::Whose,
    },
    transfers::act::find,
};

/// Get a transfer as a message: `pacs.008`, for a return `pacs.004`, `pacs.002` with its status, or
/// `camt.054` once it is credited to an account here. What names people needs the scope `send` for an
/// outgoing and `decide` for an incoming transfer.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/transfers/{uetr}/iso20022/{message}", tag = "iso20022",
    params(("uetr" = String, Path, description = "UETR"),
        ("message" = String, Path, description = "pacs.008, pacs.004, pacs.002 or camt.054"), Whose),
    responses((status = 200, description = "The message", content_type = "application/xml",
        body = String)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Segments(uetr, message): Segments,
    Query(whose): Query<Whose>,
) -> Result<Response, Problem> {
    caller.may(Scope::Read)?;
    let (transfer, row) = find(&app, &uetr, whose.debtor_agent).await?;
    let network = app.directory.current(&app.ledger).await?;
    let failed = |error: WriteError| Problem::internal(&error);
    if message == "pacs.002" {
        let original = messages::original(&network, &row);
        let statement = Report::of(&row).statement(&app, &network)?;
        return Ok(xml(pacs002::write(&[original], &statement, false).map_err(failed)?));
    }
    caller.may(if row.outgoing { Scope::Send } else { Scope::Decide })?;
    let personal = app.store.party_fetch(transfer).await?.unwrap_or_default();
    let told = messages::Told { network: &network, row: &row, personal: &personal };
    let text = match message.as_str() {
        "pacs.008" if row.return_of.is_none() => told.pacs008().write(None),
        "pacs.004" if row.return_of.is_some() => told.pacs004().write(None),
        "pacs.008" | "pacs.004" => {
            let rule = "message: a return is shown as pacs.004, any other transfer as pacs.008";
            return Err(Problem::new(Code::ResourceUnknown, rule));
        }
        "camt.054" => {
            let rule = "message: of an incoming transfer, once it is credited to an account here";
            let note = told.camt054();
            note.ok_or_else(|| Problem::new(Code::ResourceUnknown, rule))?.write(None)
        }
        _ => {
            let rule = "must be pacs.008, pacs.004, pacs.002 or camt.054";
            return Err(Problem::field("message", rule));
        }
    };
    Ok(xml(text.map_err(failed)?))
}
