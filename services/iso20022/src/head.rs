//! The business application header, head.001.001.02; it must never be required of a sender.

use crate::{inbound, write::Writer, xml::Element};

/// Who sends what to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppHdr {
    pub from_bic: Option<String>,
    pub to_bic: Option<String>,
    pub business_message_id: Option<String>,
    pub message_definition_id: Option<String>,
    pub business_service: Option<String>,
    pub created_at: Option<String>,
}

impl AppHdr {
    pub(crate) fn read(header: &Element) -> Self {
        Self {
            from_bic: header.text_at(&["Fr", "FIId", "FinInstnId", "BICFI"]),
            to_bic: header.text_at(&["To", "FIId", "FinInstnId", "BICFI"]),
            business_message_id: header.text_at(&["BizMsgIdr"]),
            message_definition_id: header.text_at(&["MsgDefIdr"]),
            business_service: header.text_at(&["BizSvc"]),
            created_at: header.text_at(&["CreDt"]),
        }
    }

    pub(crate) fn write(&self, out: &mut Writer, message: &str) {
        out.open_in("AppHdr", &inbound::namespace(inbound::HEAD_001));
        for (name, bic) in [("Fr", &self.from_bic), ("To", &self.to_bic)] {
            out.open(name);
            out.open("FIId");
            out.open("FinInstnId");
            out.leaf_if("BICFI", bic.as_deref());
            out.close();
            out.close();
            out.close();
        }
        out.leaf("BizMsgIdr", self.business_message_id.as_deref().unwrap_or("NOTPROVIDED"));
        out.leaf("MsgDefIdr", message);
        out.leaf_if("BizSvc", self.business_service.as_deref());
        out.leaf("CreDt", self.created_at.as_deref().unwrap_or_default());
        out.close();
    }
}
