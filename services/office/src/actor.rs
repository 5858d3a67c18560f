//! Who acts, and whether he may. It must never know how he signed in.

use crate::error::Error;

/// What somebody may do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Takes statements in, works breaks, closes days.
    BackOffice,
    /// As the back office, and reads what concerns persons elsewhere.
    Compliance,
    /// Keeps accounts and maps, works the network's own breaks.
    Operator,
    /// Reads.
    Auditor,
    /// The office's own loop.
    Service,
}

impl Role {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BackOffice => "back_office",
            Self::Compliance => "compliance",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Service => "service",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let all =
            [Self::BackOffice, Self::Compliance, Self::Operator, Self::Auditor, Self::Service];
        let wanted = text.replace('-', "_");
        all.into_iter().find(|role| role.as_str() == wanted).ok_or_else(|| {
            let words = all.map(Self::as_str).join(", ");
            Error::Invalid { field: "role", reason: format!("{text} is none of {words}") }
        })
    }
}

/// A person or program, by the name that he signed in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    name: String,
    role: Role,
    participant: Option<u32>,
}

impl Actor {
    /// An actor; with a participant he sees and works that one's accounts alone. Names are compared in lower
    /// case, so that nobody is two people by his spelling.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty name or one over 100 letters.
    pub fn new(name: &str, role: Role, participant: Option<u32>) -> Result<Self, Error> {
        let name = name.trim().to_lowercase();
        if name.is_empty() || name.chars().count() > 100 {
            let reason = "must have 1 to 100 letters".to_owned();
            return Err(Error::Invalid { field: "actor", reason });
        }
        Ok(Self { name, role, participant })
    }

    /// The office's own loop.
    #[must_use]
    pub fn service() -> Self {
        Self { name: "office".to_owned(), role: Role::Service, participant: None }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The one participant whose rows he sees; none sees all.
    #[must_use]
    pub const fn participant(&self) -> Option<u32> {
        self.participant
    }

    pub(crate) fn may_act(&self) -> Result<(), Error> {
        match self.role {
            Role::Auditor => Err(self.forbidden("an auditor reads and changes nothing")),
            Role::BackOffice | Role::Compliance | Role::Operator | Role::Service => Ok(()),
        }
    }

    /// Judges and approves: no program does.
    pub(crate) fn may_judge(&self) -> Result<(), Error> {
        self.may_act()?;
        match self.role {
            Role::Service => Err(self.forbidden("a person must do this")),
            Role::BackOffice | Role::Compliance | Role::Operator | Role::Auditor => Ok(()),
        }
    }

    /// Acts on what belongs to the whole network.
    pub(crate) fn may_keep(&self) -> Result<(), Error> {
        self.may_act()?;
        self.may_read_all()
    }

    /// Reads what belongs to the whole network.
    pub(crate) fn may_read_all(&self) -> Result<(), Error> {
        match self.participant {
            Some(_) => {
                Err(self.forbidden("only who works for the whole network does or sees this"))
            }
            None => Ok(()),
        }
    }

    /// Sees or works rows of a participant. Another's are not there for him.
    pub(crate) fn sees(&self, participant: u32) -> bool {
        self.participant.is_none_or(|own| own == participant)
    }

    fn forbidden(&self, why: &'static str) -> Error {
        Error::Forbidden { actor: self.name.clone(), why }
    }
}
