# The tracking page in English. Amounts, times and names are filled in; nothing else is.

language = English
languages = Language
title = Your transfer
heading = { $amount } to { $name }
heading-nameless = { $amount } to the recipient
amount = { $amount } { $currency }

# Between two sentences.
between = { " " }
place-HK = Hong Kong time
place-MY = Kuala Lumpur time
place-PH = Manila time
place-PK = Karachi time
place-UTC = UTC

month = { $month ->
        [1] January
        [2] February
        [3] March
        [4] April
        [5] May
        [6] June
        [7] July
        [8] August
        [9] September
        [10] October
        [11] November
       *[12] December
    }
moment-today = at { $time } { $place }
moment-date = on { $day } { $month-name } { $year } at { $time } { $place }
when-today = { $time } { $place }
when-date = { $day } { $month-name } { $year }, { $time } { $place }
seconds = { $count ->
        [one] { $count } second
       *[other] { $count } seconds
    }
minutes = { $count ->
        [one] { $count } minute
       *[other] { $count } minutes
    }
hours = { $count ->
        [one] { $count } hour
       *[other] { $count } hours
    }
days = { $count ->
        [one] { $count } day
       *[other] { $count } days
    }

# Institutions without a name in the network.
debtor-agent = your institution
creditor-agent = the receiving institution
creditor = the recipient
debtor = you

# The one answer at the top.
answer-awaiting_approval = Waiting for approval at { $debtor_agent }
answer-queued = Being sent
answer-pending = Waiting for { $creditor_agent }
answer-held = Under review at { $creditor_agent }
answer-settled = With { $creditor_agent }, not credited yet
answer-ready_to_collect = Ready to collect
answer-accepted = With { $creditor_agent }, to be credited
answer-blocked = Blocked at { $creditor_agent }
answer-credited = Credited { $moment }
answer-collected = Collected { $moment }
answer-recalled = Asked back { $moment }
answer-returning = On its way back to you
answer-returned = Returned to you { $moment }
answer-rejected = Not sent: it was refused
answer-expired = Not sent: it was not accepted in time
answer-cancelled = Cancelled
answer-burned = Not sent

# What happens next.
next-awaiting_approval = Somebody at { $debtor_agent } approves the transfer or refuses it. Nothing is taken from you before.
next-queued = { $debtor_agent } hands it to the network, which takes seconds.
next-pending = { $creditor_agent } checks the transfer and accepts or refuses it. If there is no answer by { $deadline }, your money is released.
next-pending-open = { $creditor_agent } checks the transfer and accepts or refuses it.
next-held = { $creditor_agent } decides by { $deadline } at the latest, or your money is released. You need not do anything.
next-settled = The money is with { $creditor_agent } for good. It credits the recipient.
next-ready_to_collect = The recipient can collect the cash. It is with { $creditor_agent }.
next-accepted = { $creditor_agent } has accepted the money and credits the recipient once its checks are done.
next-blocked = { $creditor_agent } may not pay it out now. Ask { $debtor_agent } for help.
next-credited = Nothing more. The money has arrived.
next-collected = Nothing more. The cash was collected.
next-recalled = { $debtor_agent } asked for the money back. { $creditor_agent } decides; it may have to ask the recipient.
next-returning = { $debtor_agent } has { $returned } and credits you.
next-returned = Nothing more. You have { $returned } back.
next-rejected = Nothing more. No money left { $debtor_agent }; what was set aside is yours again.
next-expired = Nothing more. No money left { $debtor_agent }; what was set aside is yours again. You may send it anew.
next-cancelled = Nothing more. No money left { $debtor_agent }; what was set aside is yours again.
next-burned = Nothing more. It never reached the network; what was set aside is yours again.

usual = Usually credited within { $p50 }; 95 in 100 within { $p95 }.
usual-cash = Usually ready to collect within { $p50 }; 95 in 100 within { $p95 }.
usual-by = Expected by { $when }.
usual-late = Slower than usual.
usual-source = Measured on the latest { $count } transfers this way.
usual-unknown = Too few transfers went this way lately to say how long it takes.
usual-short = Usually credited within { $p50 }.
usual-short-cash = Usually ready to collect within { $p50 }.

where-title = Where is the money?
holder = Who has it
since = Since
next = What happens next
expected = How long it takes

steps-title = Step by step
step-done = Done
step-now = Now
step-next = To come
step-ended = Ended
event-received = { $debtor_agent } took your order
event-pending = Set aside, offered to { $creditor_agent }
event-held = { $creditor_agent } reviews it
event-ledger_final = Accepted: { $creditor_agent } has the money
event-beneficiary_credited = The recipient was credited
event-collected = The recipient collected the cash
event-accepted = { $creditor_agent } will credit the recipient
event-ready = The cash is ready to collect
event-blocked = { $creditor_agent } blocked it
event-rejected = Refused, your money released
event-expired = Not accepted in time, your money released
event-cancelled = Cancelled, your money released
event-burned = Closed without being sent
event-recalled = { $debtor_agent } asked for the money back
event-recall_answered = { $creditor_agent } answered
event-returning = { $amount } came back to { $debtor_agent }
event-returned = { $amount } was credited to you
coming-pending = Offered to { $creditor_agent }
coming-settled = { $creditor_agent } accepts
coming-credited = The recipient is credited
coming-collected = The recipient collects the cash

costs-title = What it costs
sent = Amount sent
fee = Fee
total = You pay in all
arrives = Arrives
rate = Exchange rate
rate-value = 1 { $source } = { $rate } { $destination }
mid = Mid-market rate
mid-unknown = Not known for this transfer
spread = Difference to it, within the rate
spread-value = { $amount } ({ $percent } %)
no-exchange = No currency is changed.

times = Times are { $place }.
updated = As of { $when }.
reload = Show the latest
lasts = This link shows no names or account numbers and ends { $days } days after the transfer does.

gone-title = This link shows nothing
gone = It may be incomplete, or it has ended: links end { $days } days after their transfer. The app or institution you sent with can tell you more.
slow-title = Too many requests
slow = Please wait a minute, then try again.
down-title = Not available now
down = Your transfer is not affected. Please try again in a minute.
