//! A key pair in a token behind PKCS #11: it signs by CKM_EDDSA, opens a lost session again, and never sees the private half.
use std::sync::{Mutex, PoisonError};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error as TokenError, RvError},
    mechanism::{
        Mechanism,
        eddsa::{EddsaParams, EddsaSignatureScheme},
    },
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    types::AuthPin,
};
use ledger_proof::{
    codec::Digest,
    signature::{verify, verifying_key},
};

use super::{Error, Signer};
use crate::settings;

/// DER of an OCTET STRING of 32 bytes: `CKA_EC_POINT` holds the public key behind it.
const OCTETS_32: [u8; 2] = [0x04, 0x20];

/// A key in a token.
pub struct TokenKey {
    module: Pkcs11,
    token_label: String,
    key_label: String,
    pin: AuthPin,
    public_key: Digest,
    /// One session signs at one time; none after it failed.
    open: Mutex<Option<(Session, ObjectHandle)>>,
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = out.debug_struct("TokenKey");
        shown.field("key_label", &self.key_label).finish_non_exhaustive()
    }
}

fn at(step: &'static str) -> impl FnOnce(TokenError) -> Error {
    move |source| Error::Token { step, source }
}

impl TokenKey {
    /// Opens the token and finds the key pair.
    ///
    /// # Errors
    /// When module, token, PIN or key are not what the settings say.
    pub fn open(settings: &settings::Pkcs11, pin: &[u8]) -> Result<Self, Error> {
        let module = Pkcs11::new(&settings.module).map_err(at("loading the module"))?;
        let begun = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        match begun {
            // Another key of this process uses the same module.
            Err(TokenError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            begun => begun.map_err(at("C_Initialize"))?,
        }
        let pin = std::str::from_utf8(pin).map_err(|_| Error::Pin)?.trim();
        let mut key = Self {
            module,
            token_label: settings.token_label.clone(),
            key_label: settings.key_label.clone(),
            pin: AuthPin::new(pin.into()),
            public_key: Digest::default(),
            open: Mutex::default(),
        };
        let (session, private) = key.session()?;
        key.public_key = key.public(&session)?;
        *key.open.lock().unwrap_or_else(PoisonError::into_inner) = Some((session, private));
        Ok(key)
    }

    fn session(&self) -> Result<(Session, ObjectHandle), Error> {
        let slots = self.module.get_slots_with_token().map_err(at("C_GetSlotList"))?;
        let labelled = slots.into_iter().find(|slot| {
            let token = self.module.get_token_info(*slot);
            token.is_ok_and(|token| token.label().trim_end() == self.token_label)
        });
        let slot = labelled.ok_or(Error::NoToken)?;
        let session = self.module.open_ro_session(slot).map_err(at("C_OpenSession"))?;
        match session.login(UserType::User, Some(&self.pin)) {
            Ok(()) | Err(TokenError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(source) => return Err(Error::Token { step: "C_Login", source }),
        }
        let private = self.find(&session, ObjectClass::PRIVATE_KEY)?;
        Ok((session, private))
    }

    fn find(&self, session: &Session, class: ObjectClass) -> Result<ObjectHandle, Error> {
        let label = Attribute::Label(self.key_label.clone().into_bytes());
        let found = session.find_objects(&[Attribute::Class(class), label]);
        let found = found.map_err(at("C_FindObjects"))?;
        match found.as_slice() {
            [one] => Ok(*one),
            others => Err(Error::Keys(others.len())),
        }
    }

    fn public(&self, session: &Session) -> Result<Digest, Error> {
        let handle = self.find(session, ObjectClass::PUBLIC_KEY)?;
        let found = session.get_attributes(handle, &[AttributeType::EcPoint]);
        let found = found.map_err(at("C_GetAttributeValue"))?;
        let Some(Attribute::EcPoint(point)) = found.first() else { return Err(Error::NotEd25519) };
        let bare = point.strip_prefix(&OCTETS_32).unwrap_or(point);
        let key = Digest::try_from(bare).map_err(|_| Error::NotEd25519)?;
        verifying_key(&key).map(|_| key).ok_or(Error::NotEd25519)
    }

    fn sign_within(&self, message: &[u8]) -> Result<[u8; 64], Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (session, private) = match open.take() {
            Some(open) => open,
            None => self.session()?,
        };
        let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
        // A session that failed is not used again.
        let signed = session.sign(&mechanism, private, message).map_err(at("C_Sign"))?;
        *open = Some((session, private));
        signed.try_into().map_err(|_| Error::NotEd25519)
    }
}

impl Signer for TokenKey {
    fn public_key(&self) -> Digest {
        self.public_key
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Error> {
        let signature = self.sign_within(message)?;
        // A token that signs with another key than it shows would have every envelope refused.
        let key = verifying_key(&self.public_key).ok_or(Error::NotEd25519)?;
        verify(&key, message, &signature).then_some(signature).ok_or(Error::Mismatch)
    }
}
