//! Loads one typed settings struct from a TOML file and `CAUSEWAY__SECTION__KEY` overrides. It must
//! never know which settings a service has; the struct says so and refuses unknown fields.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Environment, File, FileFormat};
use serde::de::DeserializeOwned;

#[cfg(test)]
mod tests;

const PREFIX: &str = "CAUSEWAY";
const SEPARATOR: &str = "__";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: cannot be read; check the path given to --config and its permissions", file.display())]
    Read {
        file: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}: is not valid TOML: {reason}; correct the file", file.display())]
    Parse { file: PathBuf, reason: String },
    #[error(
        "{}: {field}: {reason}; correct it in the file or in its environment variable {variable}",
        file.display()
    )]
    Field { file: PathBuf, field: String, reason: String, variable: String },
}

/// Reads `file`, lets the environment override it and gives the typed settings.
///
/// `T` must be `#[serde(deny_unknown_fields)]` at every level, so that a misspelt key is refused.
pub fn load<T: DeserializeOwned>(file: &Path) -> Result<T, Error> {
    // Variables that are not UTF-8 can't be ours; `vars` would panic on them.
    let variables = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    load_with(file, variables)
}

fn load_with<T: DeserializeOwned>(
    file: &Path,
    variables: HashMap<String, String>,
) -> Result<T, Error> {
    let text = std::fs::read_to_string(file)
        .map_err(|source| Error::Read { file: file.to_owned(), source })?;
    // Without `try_parsing`: text stays text until a field asks for a number, so that a password
    // of digits keeps its leading zeros.
    let environment = Environment::with_prefix(PREFIX)
        .prefix_separator(SEPARATOR)
        .separator(SEPARATOR)
        .source(Some(variables));
    Config::builder()
        .add_source(File::from_str(&text, FileFormat::Toml))
        .add_source(environment)
        .build()
        .and_then(Config::try_deserialize)
        .map_err(|error| describe(file, error))
}

fn describe(file: &Path, error: ConfigError) -> Error {
    if let ConfigError::FileParse { cause, .. } = &error {
        return Error::Parse { file: file.to_owned(), reason: cause.to_string() };
    }
    let (field, reason) = locate(error, "");
    // serde names an unknown or missing field in its text only: `unknown field `x`, expected …`.
    let named = reason
        .strip_prefix("unknown field `")
        .or_else(|| reason.strip_prefix("missing field `"))
        .or_else(|| reason.strip_prefix("missing configuration field \""))
        .and_then(|rest| rest.split(['`', '"']).next());
    let field = match named {
        Some(name) if field.is_empty() => name.to_owned(),
        Some(name) if field != name && !field.ends_with(&format!(".{name}")) => {
            format!("{field}.{name}")
        }
        Some(_) | None => field,
    };
    let variable = format!("{PREFIX}{SEPARATOR}{}", field.to_uppercase().replace('.', SEPARATOR));
    Error::Field { file: file.to_owned(), field, reason, variable }
}

/// The innermost key and the reason, from the nested form in which `config` reports them.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum is open")]
fn locate(error: ConfigError, outer: &str) -> (String, String) {
    match error {
        ConfigError::At { error, key, .. } => {
            let key = key.unwrap_or_else(|| outer.to_owned());
            locate(*error, &key)
        }
        ConfigError::Type { unexpected, expected, key, .. } => (
            key.unwrap_or_else(|| outer.to_owned()),
            format!("invalid type: {unexpected}, expected {expected}"),
        ),
        ConfigError::NotFound(key) => (key, "missing".to_owned()),
        other => (outer.to_owned(), other.to_string()),
    }
}
