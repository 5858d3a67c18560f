//! Every refusal of the ledger with its fixed number, its name and its ISO 20022 reason; it decides none.
use crate::StatusReason;

macro_rules! rejections {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal, $code:literal, $reason:literal;)*) => {
        /// Why the ledger refused, in descending order of precedence within each command. Numbers
        /// are fixed for life.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u16)]
        pub enum Rejection {
            $($(#[doc = $doc])* $name = $number,)*
        }

        impl Rejection {
            /// Every refusal in the order of its number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The number in records and responses.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }

            /// The name of its page in docs/errors.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What it means, one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),*).trim_ascii_start(),)* }
            }

            /// The code of ExternalStatusReason1Code that a pacs.002 states.
            #[must_use]
            pub const fn reason(self) -> StatusReason {
                match self { $(Self::$name => StatusReason::known($reason),)* }
            }

            /// The refusal of a number.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }
        }
    };
}

rejections! {
    /// The envelope's `valid_until` has passed.
    EnvelopeStale = 1, "ENVELOPE_STALE", b"TM01";
    /// `valid_until` lies more than 24 hours ahead.
    EnvelopeValidityTooLong = 2, "ENVELOPE_VALIDITY_TOO_LONG", b"DT01";
    /// The author used this request id for other bytes.
    RequestReused = 3, "REQUEST_REUSED", b"DU01";
    /// The signing key is not an active key of the author.
    KeyNotActive = 4, "KEY_NOT_ACTIVE", b"DS0H";
    /// Fewer valid signatures than the operator's threshold.
    SignaturesTooFew = 5, "SIGNATURES_TOO_FEW", b"DS0G";
    /// Another item of an all-or-nothing envelope was refused.
    RefusedWithOthers = 6, "REFUSED_WITH_OTHERS", b"ED05";
    /// The author used this UETR for another content.
    UetrReused = 10, "UETR_REUSED", b"DU03";
    /// `resolve` closed this UETR for ever.
    TransferBurned = 11, "TRANSFER_BURNED", b"DU03";
    /// There is no such transfer.
    TransferUnknown = 12, "TRANSFER_UNKNOWN", b"AG09";
    /// The author is not the party that this command belongs to.
    NotParty = 13, "NOT_PARTY", b"DS0H";
    /// The author gave this answer before with another content.
    AnswerReused = 14, "ANSWER_REUSED", b"DU03";
    /// The transfer's deadline has passed.
    TransferExpired = 15, "TRANSFER_EXPIRED", b"AB05";
    /// The transfer's state does not allow this command.
    StateForbids = 16, "STATE_FORBIDS", b"AG01";
    /// A hold cannot last beyond the transfer's deadline.
    HoldBeyondDeadline = 17, "HOLD_BEYOND_DEADLINE", b"DT01";
    /// The debtor agent is suspended.
    DebtorAgentSuspended = 20, "DEBTOR_AGENT_SUSPENDED", b"AG10";
    /// The creditor agent is not a participant.
    CreditorAgentUnknown = 21, "CREDITOR_AGENT_UNKNOWN", b"CNOR";
    /// The creditor agent is suspended.
    CreditorAgentSuspended = 22, "CREDITOR_AGENT_SUSPENDED", b"AG11";
    /// There is no such corridor.
    CorridorUnknown = 23, "CORRIDOR_UNKNOWN", b"AG03";
    /// Only an institutional corridor settles in one phase.
    SinglePhaseForbidden = 24, "SINGLE_PHASE_FORBIDDEN", b"AG01";
    /// The corridor does not allow this purpose.
    PurposeNotAllowed = 25, "PURPOSE_NOT_ALLOWED", b"FF07";
    /// The corridor does not allow this payout method.
    PayoutMethodNotAllowed = 26, "PAYOUT_METHOD_NOT_ALLOWED", b"AG03";
    /// The screening policy cited is not the corridor's.
    ScreeningPolicyStale = 27, "SCREENING_POLICY_STALE", b"RR04";
    /// The item's deadline is not in the future.
    DeadlinePassed = 28, "DEADLINE_PASSED", b"TM01";
    /// The corridor demands sealed personal data and there is none.
    SealedDataMissing = 29, "SEALED_DATA_MISSING", b"RR02";
    /// The data is not sealed for an active key of each reader the corridor names.
    SealingKeyMissing = 30, "SEALING_KEY_MISSING", b"RR02";
    /// A leg moves nothing.
    AmountZero = 31, "AMOUNT_ZERO", b"AM01";
    /// The source amount is below the corridor's least.
    AmountBelowMinimum = 32, "AMOUNT_BELOW_MINIMUM", b"AM06";
    /// The source amount is above the corridor's greatest.
    AmountAboveMaximum = 33, "AMOUNT_ABOVE_MAXIMUM", b"AM02";
    /// The amount exceeds what an account can hold.
    AmountOutOfRange = 34, "AMOUNT_OUT_OF_RANGE", b"AM12";
    /// A currency is not the corridor's or the account's.
    CurrencyMismatch = 35, "CURRENCY_MISMATCH", b"AM03";
    /// There is no such account.
    AccountUnknown = 36, "ACCOUNT_UNKNOWN", b"AC01";
    /// The account belongs to another participant than the leg's party.
    AccountNotOwned = 37, "ACCOUNT_NOT_OWNED", b"AC01";
    /// The principal legs do not run from debtor agent to creditor agent.
    LegsMalformed = 38, "LEGS_MALFORMED", b"AM09";
    /// The credited account has no standing acceptance.
    StandingAcceptanceMissing = 39, "STANDING_ACCEPTANCE_MISSING", b"AG01";
    /// There is no such quote of a liquidity bank in this corridor.
    QuoteUnknown = 40, "QUOTE_UNKNOWN", b"AG03";
    /// The quote was made for another debtor agent or corridor.
    QuoteNotYours = 41, "QUOTE_NOT_YOURS", b"DS0H";
    /// The quote's `submit_by` has passed.
    QuoteExpired = 42, "QUOTE_EXPIRED", b"TM01";
    /// The legs differ from the quoted amounts or rate.
    QuoteAmountMismatch = 43, "QUOTE_AMOUNT_MISMATCH", b"AM09";
    /// The quote has less left than this use needs.
    QuoteOverdrawn = 44, "QUOTE_OVERDRAWN", b"AM14";
    /// Two quotes do not share their middle currency, or no quote bridges the currencies.
    QuoteChainBroken = 45, "QUOTE_CHAIN_BROKEN", b"CURR";
    /// The corridor does not allow this liquidity bank.
    LiquidityBankNotAllowed = 46, "LIQUIDITY_BANK_NOT_ALLOWED", b"AG01";
    /// The liquidity bank is suspended.
    LiquidityBankSuspended = 47, "LIQUIDITY_BANK_SUSPENDED", b"AG10";
    /// The fee schedule cited is not in force.
    FeeScheduleStale = 48, "FEE_SCHEDULE_STALE", b"AM09";
    /// The fee legs are not those of the fee schedule and the quotes.
    FeeLegsWrong = 49, "FEE_LEGS_WRONG", b"AM09";
    /// The debtor agent's balance and cap do not cover the debits.
    InsufficientFunds = 50, "INSUFFICIENT_FUNDS", b"AM04";
    /// A liquidity bank's balance and cap do not cover its legs.
    LiquidityInsufficient = 51, "LIQUIDITY_INSUFFICIENT", b"AM23";
    /// The creditor agent's balance and cap do not cover its fees.
    CreditorAgentInsufficientFunds = 52, "CREDITOR_AGENT_INSUFFICIENT_FUNDS", b"AM23";
    /// The returned transfer does not exist or is not yours to return.
    OriginalUnknown = 55, "ORIGINAL_UNKNOWN", b"AG09";
    /// The returned transfer is not settled, or its cash was picked up.
    OriginalNotReturnable = 56, "ORIGINAL_NOT_RETURNABLE", b"AG01";
    /// Returns would exceed the original amount.
    ReturnExceedsOriginal = 57, "RETURN_EXCEEDS_ORIGINAL", b"AM09";
    /// The liquidity bank used this quote id for another content.
    QuoteReused = 60, "QUOTE_REUSED", b"DU03";
    /// The quote's amounts, rate or times contradict each other.
    QuoteTermsInvalid = 61, "QUOTE_TERMS_INVALID", b"AM09";
    /// The debtor agent has as many open quotes as the corridor allows.
    QuotesOpenTooMany = 62, "QUOTES_OPEN_TOO_MANY", b"AM14";
    /// The author is not the custodian of this currency.
    CustodianMismatch = 65, "CUSTODIAN_MISMATCH", b"DS0H";
    /// The custodian used this bank reference for another funding on that day.
    FundReferenceReused = 66, "FUND_REFERENCE_REUSED", b"DU02";
    /// The owner used this withdrawal id for another content.
    WithdrawalReused = 67, "WITHDRAWAL_REUSED", b"DU03";
    /// There is no such withdrawal.
    WithdrawalUnknown = 68, "WITHDRAWAL_UNKNOWN", b"AG09";
    /// The withdrawal is already paid or failed.
    WithdrawalNotPending = 69, "WITHDRAWAL_NOT_PENDING", b"AG01";
    /// The author is suspended.
    AuthorSuspended = 70, "AUTHOR_SUSPENDED", b"AG10";
    /// The transfer is pending: cancel it, there is nothing to recall yet.
    RecallTooEarly = 71, "RECALL_TOO_EARLY", b"AG01";
    /// The transfer did not settle, is a return, or its cash was picked up.
    NotRecallable = 72, "NOT_RECALLABLE", b"AG01";
    /// Another recall of this transfer is still open.
    RecallOpen = 73, "RECALL_OPEN", b"AG01";
    /// The recall asks for more than returns have left of the transfer.
    RecallExceedsTransfer = 74, "RECALL_EXCEEDS_TRANSFER", b"AM09";
    /// The time of an answer is not in the future, or more than 30 days ahead.
    RecallTimeInvalid = 75, "RECALL_TIME_INVALID", b"DT01";
    /// The debtor agent used this case for another content.
    CaseReused = 76, "CASE_REUSED", b"DU03";
    /// There is no such recall of this transfer.
    CaseUnknown = 77, "CASE_UNKNOWN", b"AG09";
    /// An answer that accepts names one return; one that rejects names neither return nor time.
    RecallAnswerInvalid = 78, "RECALL_ANSWER_INVALID", b"NARR";
    /// There is no such participant.
    ParticipantUnknown = 80, "PARTICIPANT_UNKNOWN", b"RC11";
    /// A BIC, LEI or name of the participant is malformed.
    AttributeInvalid = 81, "ATTRIBUTE_INVALID", b"RC01";
    /// The public key is not a point of its curve, or is weak.
    KeyInvalid = 82, "KEY_INVALID", b"DS0H";
    /// The key is or was a key of a participant.
    KeyExists = 83, "KEY_EXISTS", b"DU03";
    /// The participant has two active keys of this kind.
    KeysTooMany = 84, "KEYS_TOO_MANY", b"DS0H";
    /// The participant has no such active key.
    KeyUnknown = 85, "KEY_UNKNOWN", b"DS0H";
    /// An account has this number.
    AccountExists = 86, "ACCOUNT_EXISTS", b"DU03";
    /// The currency is not one of the network's.
    CurrencyUnknown = 87, "CURRENCY_UNKNOWN", b"AM03";
    /// A cap above 0 needs a collateral reference.
    CollateralMissing = 88, "COLLATERAL_MISSING", b"AM09";
    /// The account already uses more than the new cap.
    CapBelowUse = 89, "CAP_BELOW_USE", b"AM09";
    /// The version is not the next one.
    VersionNotNext = 90, "VERSION_NOT_NEXT", b"DT01";
    /// The corridor's rules contradict each other.
    CorridorTermsInvalid = 91, "CORRIDOR_TERMS_INVALID", b"AM09";
    /// A fee's bounds or payee contradict each other.
    FeeTermsInvalid = 92, "FEE_TERMS_INVALID", b"AM09";
    /// There is no such screening policy.
    ScreeningPolicyUnknown = 93, "SCREENING_POLICY_UNKNOWN", b"RR04";
    /// Retiring it would leave fewer operator keys than the threshold.
    KeysTooFew = 94, "KEYS_TOO_FEW", b"DS0H";
}
