import { event, topic, type } from 'nest-kappa';

export const FineCreated = event(
  'fine.created',
  type<{ amount: string; article: string; points: number; vehicleClass: string; dismissal: string; officer: string }>(),
);
export const FineSent = event('fine.sent', type<{ expense: string }>());
export const FineNotified = event('fine.notified', type<{ notificationType: string; lastSent: string | null }>());
export const PenaltyAdded = event('penalty.added', type<{ amount: string }>());
export const PaymentReceived = event('payment.received', type<{ amount: string; total: string }>());
export const CollectionStarted = event('collection.started', type<Record<never, never>>());
export const AppealDated = event('prefecture-appeal.dated', type<Record<never, never>>());
export const AppealSent = event('prefecture-appeal.sent', type<{ dismissal: string }>());
export const AppealAnswered = event('prefecture-appeal.answered', type<Record<never, never>>());
export const AnswerNotified = event('prefecture-answer.notified', type<Record<never, never>>());
export const JudgeCalled = event('judge.called', type<{ judge: string; dismissal: string; officer: string }>());

/** All that happens to fines; a fine is the key, so its events stay in order. */
export const fines = topic('fines', {
  partitions: 8,
  events: [
    FineCreated,
    FineSent,
    FineNotified,
    PenaltyAdded,
    PaymentReceived,
    CollectionStarted,
    AppealDated,
    AppealSent,
    AppealAnswered,
    AnswerNotified,
    JudgeCalled,
  ],
});
