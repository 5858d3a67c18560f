//! Local accounts of the console: a file of names, roles and hashes. It must never keep a password, nor print one twice.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use services_office::Role;
use services_reporting::{password, sessions};

const TOP: &str = "# People who sign in to the console by a password: `causeway admin console-account` writes this.\n";

/// The accounts of one file.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Accounts {
    #[serde(default)]
    accounts: Vec<Account>,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Account {
    name: String,
    password: String,
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    participant: Option<u32>,
}

impl Accounts {
    fn read(file: &Path) -> anyhow::Result<Self> {
        let shown = file.display();
        if !file.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(file).with_context(|| format!("{shown}: cannot be read"))?;
        // The parser's own words would quote a hash.
        toml::from_str(&text).map_err(|error| anyhow::anyhow!("{shown}: {}", error.message()))
    }

    /// Gives a person an account, or another password and role, and gives the password.
    pub fn put(&mut self, name: &str, role: Role, of: Option<u32>) -> anyhow::Result<String> {
        let name = name.trim().to_lowercase();
        anyhow::ensure!(
            !name.is_empty() && name.chars().count() <= 100,
            "NAME: must have 1 to 100 letters"
        );
        anyhow::ensure!(role != Role::Service, "--role: service is no person's role");
        anyhow::ensure!(
            role != Role::Operator || of.is_none(),
            "--of: an operator works for the whole network"
        );
        anyhow::ensure!(
            role != Role::Compliance || of.is_some(),
            "--of: compliance works for one participant"
        );
        let secret = sessions::secret().context("the system gives no randomness")?;
        let hash = password::hash(&secret).context("the system gives no randomness")?;
        self.accounts.retain(|own| own.name != name);
        self.accounts.push(Account { name, password: hash, role, participant: of });
        Ok(secret)
    }

    /// Writes the file, for its owner alone from its first byte on.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        let shown = file.display();
        let failed = || format!("{shown}: cannot be written");
        let text = toml::to_string(self).with_context(failed)?;
        fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).with_context(failed)?;
        let mut options = File::options();
        let mut open = options
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(file)
            .with_context(failed)?;
        open.set_permissions(Permissions::from_mode(0o600)).with_context(failed)?;
        open.write_all(TOP.as_bytes()).with_context(failed)?;
        open.write_all(text.as_bytes()).with_context(failed)
    }
}

/// One account of a file; gives its password.
pub fn account(file: &Path, name: &str, role: &str, of: Option<u32>) -> anyhow::Result<String> {
    let mut accounts = Accounts::read(file)?;
    let password = accounts.put(name, role.parse()?, of)?;
    accounts.write(file)?;
    Ok(password)
}
