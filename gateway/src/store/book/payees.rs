//! Whose accounts the built-in book keeps, and which phone numbers and e-mail addresses lead to them; it compares no names.
use super::{Book, Error};
use crate::{
    banking::{Identified, account_key, alias_key},
    payee::Payee,
    settings::Account,
    store::commit,
};

impl Book {
    /// Takes names and proxies from the settings, which alone have them.
    pub(super) async fn name(&self, accounts: &[Account]) -> Result<(), Error> {
        let mut transaction = self.store.begin().await?;
        for account in accounts {
            let key = account_key(&account.account);
            sqlx::query("UPDATE book_account SET name = $2 WHERE account = $1")
                .bind(&key)
                .bind(&account.name)
                .execute(&mut *transaction)
                .await?;
            sqlx::query("DELETE FROM book_alias WHERE account = $1")
                .bind(&key)
                .execute(&mut *transaction)
                .await?;
        }
        for account in accounts {
            for alias in &account.aliases {
                // A proxy leads to the account that names it last.
                sqlx::query(
                    "INSERT INTO book_alias (alias, account) VALUES ($1, $2)
                     ON CONFLICT (alias) DO UPDATE SET account = excluded.account",
                )
                .bind(alias_key(alias))
                .bind(account_key(&account.account))
                .execute(&mut *transaction)
                .await?;
            }
        }
        commit(transaction).await
    }

    /// One statement whatever it finds. Who is closed or blocked is as unknown as who is not there.
    pub(super) async fn identify_now(&self, payee: &Payee) -> Result<Identified, Error> {
        let (account, alias) = match payee {
            Payee::Account(text) => (account_key(text), String::new()),
            Payee::Phone(text) | Payee::Email(text) => (String::new(), alias_key(text)),
        };
        let row: Option<(String, String)> = sqlx::query_as(
            "SELECT a.account, a.name FROM book_account a
             WHERE a.status = 'open' AND a.name IS NOT NULL AND (a.account = $1
                OR a.account = (SELECT b.account FROM book_alias b WHERE b.alias = $2))",
        )
        .bind(account)
        .bind(alias)
        .fetch_optional(&self.store.pool)
        .await?;
        Ok(row.map_or(Identified::Unknown, |(account, name)| Identified::Known { account, name }))
    }
}
