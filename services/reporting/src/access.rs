//! Who may do what: each route names one need, and this alone says who meets it. It must never know a route.

use services_office::{Actor, Role};

/// What a route asks of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: who is not signed in yet.
    Open,
    /// Reads rows that he sees.
    Read,
    /// Reads what belongs to the whole network.
    ReadNetwork,
    /// Works breaks and takes statements in.
    Act,
    /// Acts for the whole network: closes days.
    ActNetwork,
    /// Opens personal data of his participant.
    Unseal,
}

impl Need {
    pub const ALL: [Self; 6] =
        [Self::Open, Self::Read, Self::ReadNetwork, Self::Act, Self::ActNetwork, Self::Unseal];

    /// Whether somebody of this role, for this participant or for the network, meets it.
    #[must_use]
    pub const fn met_by(self, role: Role, participant: Option<u32>) -> bool {
        let network = participant.is_none();
        let acts = matches!(role, Role::Operator | Role::BackOffice | Role::Compliance);
        match (self, role) {
            (Self::Open, _) => true,
            // A program signs in nowhere.
            (_, Role::Service) => false,
            (Self::Read, _) => true,
            (Self::ReadNetwork, _) => network,
            (Self::Act, _) => acts,
            (Self::ActNetwork, _) => acts && network,
            (Self::Unseal, Role::Compliance) => !network,
            (Self::Unseal, _) => false,
        }
    }

    /// The same of a person.
    #[must_use]
    pub const fn met(self, actor: &Actor) -> bool {
        self.met_by(actor.role(), actor.participant())
    }

    /// Why not, for people.
    #[must_use]
    pub const fn refusal(self) -> &'static str {
        match self {
            Self::Open | Self::Read => "this account opens nothing here",
            Self::ReadNetwork => "only who works for the whole network sees this",
            Self::Act => "an auditor reads and changes nothing",
            Self::ActNetwork => "only who works for the whole network does this",
            Self::Unseal => "only compliance opens personal data, of its own participant",
        }
    }
}
