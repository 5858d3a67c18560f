# The tracking page in Filipino.

language = Filipino
languages = Wika
title = Ang iyong padala
heading = { $amount } para kay { $name }
heading-nameless = { $amount } para sa tatanggap
amount = { $amount } { $currency }

# Between two sentences.
between = { " " }
place-HK = oras sa Hong Kong
place-MY = oras sa Kuala Lumpur
place-PH = oras sa Maynila
place-PK = oras sa Karachi
place-UTC = UTC

month = { $month ->
        [1] Enero
        [2] Pebrero
        [3] Marso
        [4] Abril
        [5] Mayo
        [6] Hunyo
        [7] Hulyo
        [8] Agosto
        [9] Setyembre
        [10] Oktubre
        [11] Nobyembre
       *[12] Disyembre
    }
moment-today = nang { $time }, { $place }
moment-date = noong { $day } { $month-name } { $year }, { $time }, { $place }
when-today = { $time }, { $place }
when-date = { $day } { $month-name } { $year }, { $time }, { $place }
seconds = { $count } segundo
minutes = { $count } minuto
hours = { $count } oras
days = { $count } araw

# Institutions without a name in the network.
debtor-agent = ang iyong institusyon
creditor-agent = ang tumatanggap na institusyon
creditor = ang tatanggap
debtor = ikaw

# The one answer at the top.
answer-awaiting_approval = Hinihintay ang pag-apruba: { $debtor_agent }
answer-queued = Ipinapadala na
answer-pending = Hinihintay ang sagot: { $creditor_agent }
answer-held = Sinusuri pa: { $creditor_agent }
answer-settled = Nasa { $creditor_agent } na, hindi pa naipapasok
answer-ready_to_collect = Puwede nang kunin
answer-accepted = Nasa { $creditor_agent } na, ipapasok pa lang
answer-blocked = Naka-block: { $creditor_agent }
answer-credited = Naipasok na { $moment }
answer-collected = Nakuha na { $moment }
answer-recalled = Hiniling na ibalik { $moment }
answer-returning = Pabalik na sa iyo
answer-returned = Naibalik sa iyo { $moment }
answer-rejected = Hindi naipadala: tinanggihan
answer-expired = Hindi naipadala: hindi tinanggap sa oras
answer-cancelled = Kinansela
answer-burned = Hindi naipadala

# What happens next.
next-awaiting_approval = Aaprubahan o tatanggihan ang padala ({ $debtor_agent }). Walang kukunin sa iyo bago nito.
next-queued = Ibinibigay ito sa network ({ $debtor_agent }); ilang segundo lang ito.
next-pending = Tinitingnan ang padala bago tanggapin o tanggihan ({ $creditor_agent }). Kung walang sagot hanggang { $deadline }, ibabalik sa iyo ang nakatabing pera.
next-pending-open = Tinitingnan ang padala bago tanggapin o tanggihan ({ $creditor_agent }).
next-held = Magpapasya hanggang { $deadline } ({ $creditor_agent }); kung hindi, ibabalik sa iyo ang nakatabing pera. Wala kang kailangang gawin.
next-settled = Ang pera ay nasa { $creditor_agent } na at hindi na mababawi. Ipapasok ito para sa tatanggap.
next-ready_to_collect = Puwede nang kunin ng tatanggap ang pera. Nasa { $creditor_agent } ito.
next-accepted = Tinanggap na ang pera ({ $creditor_agent }) at ipapasok ito kapag tapos na ang pagsusuri.
next-blocked = Hindi pa ito puwedeng ibayad ({ $creditor_agent }). Humingi ng tulong sa { $debtor_agent }.
next-credited = Wala na. Dumating na ang pera.
next-collected = Wala na. Nakuha na ang pera.
next-recalled = Hiniling na ibalik ang pera ({ $debtor_agent }). Ang magpapasya: { $creditor_agent }; maaaring tanungin muna ang tatanggap.
next-returning = Nasa { $debtor_agent } na ang { $returned } at ibibigay ito sa iyo.
next-returned = Wala na. Naibalik sa iyo ang { $returned }.
next-rejected = Wala na. Walang perang umalis sa { $debtor_agent }; sa iyo na ulit ang itinabi.
next-expired = Wala na. Walang perang umalis sa { $debtor_agent }; sa iyo na ulit ang itinabi. Puwede kang magpadala muli.
next-cancelled = Wala na. Walang perang umalis sa { $debtor_agent }; sa iyo na ulit ang itinabi.
next-burned = Wala na. Hindi ito nakarating sa network; sa iyo na ulit ang itinabi.

usual = Karaniwang naipapasok sa loob ng { $p50 }; 95 sa 100 ay sa loob ng { $p95 }.
usual-cash = Karaniwang puwedeng kunin sa loob ng { $p50 }; 95 sa 100 ay sa loob ng { $p95 }.
usual-by = Inaasahan bago mag-{ $when }.
usual-late = Mas mabagal kaysa karaniwan.
usual-source = Batay sa huling { $count } ganitong padala.
usual-unknown = Kaunti pa ang ganitong padala kamakailan kaya hindi masabi kung gaano katagal.
usual-short = Karaniwang naipapasok sa loob ng { $p50 }.
usual-short-cash = Karaniwang puwedeng kunin sa loob ng { $p50 }.

where-title = Nasaan ang pera?
holder = Nasa kanino
since = Mula pa
next = Ano ang susunod
expected = Gaano katagal

steps-title = Bawat hakbang
step-done = Tapos
step-now = Ngayon
step-next = Susunod
step-ended = Natapos
event-received = Tinanggap ang utos mo: { $debtor_agent }
event-pending = Itinabi ang pera at inialok: { $creditor_agent }
event-held = Sinusuri: { $creditor_agent }
event-ledger_final = Tinanggap; nasa { $creditor_agent } na ang pera
event-beneficiary_credited = Naipasok na sa tatanggap
event-collected = Nakuha na ng tatanggap ang pera
event-accepted = Ipapasok sa tatanggap: { $creditor_agent }
event-ready = Puwede nang kunin ang pera
event-blocked = Na-block: { $creditor_agent }
event-rejected = Tinanggihan, ibinalik ang nakatabing pera
event-expired = Hindi tinanggap sa oras, ibinalik ang nakatabing pera
event-cancelled = Kinansela, ibinalik ang nakatabing pera
event-burned = Isinara nang hindi naipadala
event-recalled = Hiniling na ibalik ang pera: { $debtor_agent }
event-recall_answered = Sumagot: { $creditor_agent }
event-returning = Bumalik ang { $amount } sa { $debtor_agent }
event-returned = Naibigay sa iyo ang { $amount }
coming-pending = Iaalok: { $creditor_agent }
coming-settled = Tatanggapin: { $creditor_agent }
coming-credited = Ipapasok sa tatanggap
coming-collected = Kukunin ng tatanggap ang pera

costs-title = Magkano ang bayad
sent = Halagang ipinadala
fee = Singil
total = Kabuuang babayaran mo
arrives = Matatanggap
rate = Palitan
rate-value = 1 { $source } = { $rate } { $destination }
mid = Gitnang palitan sa merkado
mid-unknown = Hindi alam para sa padalang ito
spread = Kaibahan dito, kasama na sa palitan
spread-value = { $amount } ({ $percent }%)
no-exchange = Walang pinalitang pera.

times = Ang mga oras ay { $place }.
updated = Ayon sa { $when }.
reload = Ipakita ang pinakabago
lasts = Walang pangalan o numero ng account sa link na ito, at matatapos ito { $days } araw pagkatapos ng padala.

gone-title = Walang makikita sa link na ito
gone = Maaaring kulang ito, o tapos na: natatapos ang mga link { $days } araw pagkatapos ng padala. Magtanong sa app o institusyong ginamit mo.
slow-title = Sobrang dami ng kahilingan
slow = Maghintay ng isang minuto, saka subukan muli.
down-title = Hindi magamit ngayon
down = Hindi apektado ang padala mo. Subukan muli pagkatapos ng isang minuto.
