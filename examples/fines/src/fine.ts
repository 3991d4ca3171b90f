import { aggregate, refuse } from 'nest-kappa';
import {
  AddPenalty,
  AnswerAppeal,
  CallJudge,
  CreateFine,
  DateAppeal,
  NotifyAnswer,
  NotifyFine,
  ReceivePayment,
  SendAppeal,
  SendFine,
  StartCollection,
} from './commands.js';
import {
  AnswerNotified,
  AppealAnswered,
  AppealDated,
  AppealSent,
  CollectionStarted,
  FineCreated,
  FineNotified,
  FineSent,
  fines,
  JudgeCalled,
  PaymentReceived,
  PenaltyAdded,
} from './events.js';
import { plus } from './money.js';

/** What decisions need to know of a fine; what people want to read is in the projections. */
export interface FineState {
  readonly created: boolean;
  readonly amount: string;
  readonly paid: string;
}

export const Fine = aggregate({
  name: 'fine',
  topic: fines,
  id: 'fineId',
  initialState: (): FineState => ({ created: false, amount: '0.00', paid: '0.00' }),
});

const existing = (state: FineState): void => {
  if (!state.created) refuse('fine.unknown');
};

export const fine = Fine.evolve({
  'fine.created': (state, event) => ({ ...state, created: true, amount: event.data.amount }),
  'fine.sent': (state) => state,
  'fine.notified': (state) => state,
  'penalty.added': (state, event) => ({ ...state, amount: event.data.amount }),
  'payment.received': (state, event) => ({ ...state, paid: event.data.total }),
  'collection.started': (state) => state,
  'prefecture-appeal.dated': (state) => state,
  'prefecture-appeal.sent': (state) => state,
  'prefecture-appeal.answered': (state) => state,
  'prefecture-answer.notified': (state) => state,
  'judge.called': (state) => state,
})
  .decide(CreateFine, ({ amount, article, points, vehicleClass, dismissal, officer }, state) =>
    state.created
      ? refuse('fine.exists')
      : [FineCreated({ amount: plus(amount, '0'), article, points, vehicleClass, dismissal, officer })],
  )
  .decide(SendFine, ({ expense }, state) => {
    existing(state);
    return [FineSent({ expense: plus(expense, '0') })];
  })
  .decide(NotifyFine, ({ notificationType, lastSent }, state) => {
    existing(state);
    return [FineNotified({ notificationType, lastSent })];
  })
  .decide(AddPenalty, ({ amount }, state) => {
    existing(state);
    return [PenaltyAdded({ amount: plus(amount, '0') })];
  })
  .decide(ReceivePayment, ({ amount }, state) => {
    existing(state);
    return [PaymentReceived({ amount: plus(amount, '0'), total: plus(state.paid, amount) })];
  })
  .decide(StartCollection, (_, state) => {
    existing(state);
    return [CollectionStarted({})];
  })
  .decide(DateAppeal, (_, state) => {
    existing(state);
    return [AppealDated({})];
  })
  .decide(SendAppeal, ({ dismissal }, state) => {
    existing(state);
    return [AppealSent({ dismissal })];
  })
  .decide(AnswerAppeal, (_, state) => {
    existing(state);
    return [AppealAnswered({})];
  })
  .decide(NotifyAnswer, (_, state) => {
    existing(state);
    return [AnswerNotified({})];
  })
  .decide(CallJudge, ({ judge, dismissal, officer }, state) => {
    existing(state);
    return [JudgeCalled({ judge, dismissal, officer })];
  });
