'use client';
import { save } from './actions';

export const Form = () => <form action={save} />;
