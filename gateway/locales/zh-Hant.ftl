# The tracking page in Chinese, traditional characters as in Hong Kong and Taiwan.

language = 繁體中文
languages = 語言
title = 您的匯款
heading = { $amount } 給 { $name }
heading-nameless = { $amount } 給收款人
amount = { $amount } { $currency }

# Between two sentences.
between = { "" }
place-HK = 香港時間
place-MY = 吉隆坡時間
place-PH = 馬尼拉時間
place-PK = 卡拉奇時間
place-UTC = 世界協調時間（UTC）

month = { $month }月
moment-today = { $place } { $time }
moment-date = { $year }年{ $month }月{ $day }日 { $place } { $time }
when-today = { $place } { $time }
when-date = { $year }年{ $month }月{ $day }日 { $place } { $time }
seconds = { $count } 秒
minutes = { $count } 分鐘
hours = { $count } 小時
days = { $count } 天

# Institutions without a name in the network.
debtor-agent = 您的匯款機構
creditor-agent = 收款機構
creditor = 收款人
debtor = 您

# The one answer at the top.
answer-awaiting_approval = 正在等待 { $debtor_agent } 核准
answer-queued = 正在送出
answer-pending = 正在等待 { $creditor_agent } 回覆
answer-held = { $creditor_agent } 正在審查
answer-settled = 款項已到 { $creditor_agent }，尚未入帳
answer-ready_to_collect = 可以領取現金
answer-accepted = 款項已到 { $creditor_agent }，等待入帳
answer-blocked = 款項在 { $creditor_agent } 被凍結
answer-credited = 已入帳：{ $moment }
answer-collected = 現金已領取：{ $moment }
answer-recalled = 已要求退回：{ $moment }
answer-returning = 款項正退回給您
answer-returned = 已退回給您：{ $moment }
answer-rejected = 未匯出：已被拒絕
answer-expired = 未匯出：對方未及時接受
answer-cancelled = 已取消
answer-burned = 未匯出

# What happens next.
next-awaiting_approval = { $debtor_agent } 會核准或拒絕這筆匯款。在此之前不會扣取您的款項。
next-queued = { $debtor_agent } 正把匯款交給網絡，只需數秒。
next-pending = { $creditor_agent } 會核對這筆匯款，然後接受或拒絕。若在 { $deadline } 前沒有回覆，您的款項會解除保留。
next-pending-open = { $creditor_agent } 會核對這筆匯款，然後接受或拒絕。
next-held = { $creditor_agent } 最遲在 { $deadline } 前決定，否則您的款項會解除保留。您不需要做任何事。
next-settled = 款項已確定歸 { $creditor_agent } 處理，由其為收款人入帳。
next-ready_to_collect = 收款人可以領取現金。現金在 { $creditor_agent }。
next-accepted = { $creditor_agent } 已接受款項，完成核對後便為收款人入帳。
next-blocked = { $creditor_agent } 目前不能付款。請向 { $debtor_agent } 查詢。
next-credited = 已經完成。款項已送達。
next-collected = 已經完成。現金已被領取。
next-recalled = { $debtor_agent } 已要求退回款項，由 { $creditor_agent } 決定，可能需要先詢問收款人。
next-returning = { $debtor_agent } 已收到 { $returned }，將退還給您。
next-returned = 已經完成。您已取回 { $returned }。
next-rejected = 已經完成。沒有款項離開 { $debtor_agent }，保留的金額已歸還給您。
next-expired = 已經完成。沒有款項離開 { $debtor_agent }，保留的金額已歸還給您。您可以重新匯款。
next-cancelled = 已經完成。沒有款項離開 { $debtor_agent }，保留的金額已歸還給您。
next-burned = 已經完成。這筆匯款沒有進入網絡，保留的金額已歸還給您。

usual = 通常在 { $p50 }內入帳；100 筆中有 95 筆在 { $p95 }內。
usual-cash = 通常在 { $p50 }內可以領取；100 筆中有 95 筆在 { $p95 }內。
usual-by = 預計最遲時間：{ $when }。
usual-late = 這次比平常慢。
usual-source = 根據最近 { $count } 筆同類匯款計算。
usual-unknown = 最近同類匯款太少，無法估計所需時間。
usual-short = 通常在 { $p50 }內入帳。
usual-short-cash = 通常在 { $p50 }內可以領取。

where-title = 款項在哪裡？
holder = 目前持有者
since = 自從
next = 接下來
expected = 需要多久

steps-title = 每一步
step-done = 完成
step-now = 進行中
step-next = 之後
step-ended = 結束
event-received = { $debtor_agent } 已接受您的指示
event-pending = 款項已保留，並通知 { $creditor_agent }
event-held = { $creditor_agent } 正在審查
event-ledger_final = 已接受：款項已到 { $creditor_agent }
event-beneficiary_credited = 已為收款人入帳
event-collected = 收款人已領取現金
event-accepted = { $creditor_agent } 將為收款人入帳
event-ready = 現金可供領取
event-blocked = { $creditor_agent } 已凍結款項
event-rejected = 已被拒絕，您的款項已解除保留
event-expired = 對方未及時接受，您的款項已解除保留
event-cancelled = 已取消，您的款項已解除保留
event-burned = 已關閉，沒有匯出
event-recalled = { $debtor_agent } 已要求退回款項
event-recall_answered = { $creditor_agent } 已回覆
event-returning = { $amount } 已退回 { $debtor_agent }
event-returned = { $amount } 已退還給您
coming-pending = 通知 { $creditor_agent }
coming-settled = { $creditor_agent } 接受
coming-credited = 為收款人入帳
coming-collected = 收款人領取現金

costs-title = 費用
sent = 匯款金額
fee = 手續費
total = 您共支付
arrives = 對方收到
rate = 匯率
rate-value = 1 { $source } = { $rate } { $destination }
mid = 市場中間價
mid-unknown = 這筆匯款沒有中間價資料
spread = 與中間價的差額（已包含在匯率內）
spread-value = { $amount }（{ $percent }%）
no-exchange = 沒有兌換貨幣。

times = 所有時間均為{ $place }。
updated = 更新：{ $when }。
reload = 顯示最新情況
lasts = 此連結不顯示姓名或帳號，並在匯款結束 { $days } 天後失效。

gone-title = 此連結沒有內容
gone = 連結可能不完整，或已失效：匯款結束 { $days } 天後，連結便會失效。請向您使用的應用程式或機構查詢。
slow-title = 請求過多
slow = 請等一分鐘後再試。
down-title = 暫時無法顯示
down = 您的匯款不受影響。請在一分鐘後再試。
